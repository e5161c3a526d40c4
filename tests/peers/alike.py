"""What darwin-py and we say in the same words, once a route says what darwin-py takes for granted: all items in one folder
(``path: /``; we keep folders), and slots named as their files (``slot: "{filename}"``).
"""

from tests.peers.darwin_py import Call
from tests.peers.intents import alike, item, slot, slotted

ALIKE = [
    alike(
        "images in one folder, whatever theirs was",
        Call(
            {
                "storage_keys": [
                    "line-3/2031/weld 07.jpg",
                    "line-3/2031/Schweißnaht.JPEG",
                    "line-3/cells.tiff",
                    "line-3/biopsy.svs",
                    "leaf.webp",
                ]
            }
        ),
        """
        routes:
          - name: all
            dataset: intake
            storage: prod
            path: /
        """,
        [
            item("/", "weld 07.jpg", "line-3/2031/weld 07.jpg", type="image"),
            item("/", "Schweißnaht.JPEG", "line-3/2031/Schweißnaht.JPEG", type="image"),
            item("/", "cells.tiff", "line-3/cells.tiff", type="image"),
            item("/", "biopsy.svs", "line-3/biopsy.svs", type="image"),
            item("/", "leaf.webp", "leaf.webp", type="image"),
        ],
    ),
    alike(
        "a PDF",
        Call({"storage_keys": ["reports/report.pdf"]}),
        """
        routes:
          - name: reports
            dataset: intake
            storage: prod
            path: /
        """,
        [item("/", "report.pdf", "reports/report.pdf", type="pdf")],
    ),
    alike(
        "a video with every frame",
        Call({"storage_keys": ["gate/whole.mp4"]}),
        """
        routes:
          - name: gate
            dataset: intake
            storage: prod
            path: /
        """,
        [item("/", "whole.mp4", "gate/whole.mp4", type="video")],
    ),
    alike(
        "videos at five frames a second, and an image beside them",
        Call({"storage_keys": ["gate/cam.mp4", "gate/cam.mov", "gate/cam.png"], "fps": 5}),
        """
        routes:
          - name: gate
            dataset: intake
            storage: prod
            path: /
            fps: 5
        """,
        [
            item("/", "cam.mp4", "gate/cam.mp4", type="video", fps=5),
            item("/", "cam.mov", "gate/cam.mov", type="video", fps=5),
            item("/", "cam.png", "gate/cam.png", type="image"),
        ],
    ),
    alike(
        "a DICOM file, which has no rate",
        Call({"storage_keys": ["ct/slice.dcm"], "fps": 5}),
        """
        routes:
          - name: scans
            dataset: intake
            storage: prod
            path: /
            fps: 5
        """,
        [item("/", "slice.dcm", "ct/slice.dcm", type="dicom")],
    ),
    alike(
        "several slots",
        Call(
            {
                "storage_keys": {
                    "run-118": ["rig/run-118/front.png", "rig/run-118/plan.pdf"],
                    "run-119": ["rig/run-119/front.png", "rig/run-119/plan.pdf"],
                },
                "multi_slotted": True,
            }
        ),
        """
        routes:
          - name: runs
            prefix: rig
            dataset: intake
            storage: prod
            slot: "{filename}"
            group:
              complete: {slots: [front.png, plan.pdf]}
        """,
        [
            slotted(
                "/",
                "run-118",
                slot("front.png", "front.png", "rig/run-118/front.png", type="image"),
                slot("plan.pdf", "plan.pdf", "rig/run-118/plan.pdf", type="pdf"),
            ),
            slotted(
                "/",
                "run-119",
                slot("front.png", "front.png", "rig/run-119/front.png", type="image"),
                slot("plan.pdf", "plan.pdf", "rig/run-119/plan.pdf", type="pdf"),
            ),
        ],
    ),
    alike(
        "several slots, from folders that no pattern brings together",
        Call(
            {
                "storage_keys": {"run-120": ["rig/fronts/a.png", "rig/roofs/120.mp4"]},
                "fps": "native",
                "preserve_folders": True,
                "multi_slotted": True,
            }
        ),
        # An item that darwin-py is told of by name and by files, a manifest tells us of.
        """
        routes:
          - name: runs
            regex: "(?P<all>rig)/.+"
            dataset: intake
            storage: prod
            fps: native
            group:
              by: "{all}/"
              complete: {manifest: run-120.json}
        """,
        [
            slotted(
                "/rig/fronts",
                "run-120",
                slot("a.png", "a.png", "rig/fronts/a.png", type="image"),
                slot("120.mp4", "120.mp4", "rig/roofs/120.mp4", type="video", fps="native"),
            )
        ],
        {
            "rig/run-120.json": b"""{
                "name": "run-120", "path": "/rig/fronts",
                "slots": [{"slot": "a.png", "file": "fronts/a.png"}, {"slot": "120.mp4", "file": "roofs/120.mp4"}]
            }"""
        },
    ),
]
