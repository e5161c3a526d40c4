"""What operators want, and what darwin-py sends for it: its bodies by hand, from darwin-api.md sections 1, 4, 5 and 7."""

from dataclasses import dataclass

from tests.peers.darwin_py import READ_ONLY, Call, Json


@dataclass(frozen=True)
class Intent:
    """Something wanted; darwin-py's *call* for it; the *items* of the one body that this sends, and the last word of the
    address that it sends it to.

    *refused*: the twin does not take the body, and says this of it.
    """

    name: str
    call: Call
    items: Json
    endpoint: str = "register_existing"
    refused: str = ""


def item(path: str, name: str, type_: str, storage_key: str, **more: object) -> Json:
    """An item in the flat form."""
    return {"path": path, "name": name, "type": type_, "storage_key": storage_key, **more}


def slotted(path: str, name: str, *slots: Json) -> Json:
    return {"path": path, "name": name, "slots": list(slots)}


def slot(slot_name: str, file_name: str, type_: str, storage_key: str, **more: object) -> Json:
    return {
        "slot_name": slot_name,
        "file_name": file_name,
        "type": type_,
        "storage_key": storage_key,
        **more,
    }


ARTEFACTS = {
    "width": 1280,
    "height": 720,
    "native_fps": 25.0,
    "visible_frames": 10,
    "total_frames": 50,
    "hls_segments": {
        "high_quality": {"index": "#EXTM3U\nthumbs/I/files/S/segments/high/000000000.ts\n", "bitrate": 2e6},
        "low_quality": {"index": "#EXTM3U\nthumbs/I/files/S/segments/low/000000000.ts\n", "bitrate": None},
    },
    "storage_sections_key_prefix": "thumbs/I/files/S/sections/high",
    "storage_sections_key_extension": "png",
    "storage_low_quality_sections_key_prefix": "thumbs/I/files/S/sections/low",
    "storage_frames_manifest_key": "thumbs/I/files/S/frames_manifest.txt",
    "storage_thumbnail_key": "thumbs/I/files/S/thumbnail.jpg",
    "storage_audio_peaks_key": "thumbs/I/files/S/audio_peaks.gz",
}
"""What ``darwin extract video-artifacts`` writes down of a video, and darwin-py sends on as it is."""

INTENTS = [
    Intent(
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
        [
            item("/", "weld 07.jpg", "image", "line-3/2031/weld 07.jpg"),
            item("/", "Schweißnaht.JPEG", "image", "line-3/2031/Schweißnaht.JPEG"),
            item("/", "cells.tiff", "image", "line-3/cells.tiff"),
            item("/", "biopsy.svs", "image", "line-3/biopsy.svs"),
            item("/", "leaf.webp", "image", "leaf.webp"),
        ],
    ),
    Intent(
        "folders kept",
        Call(
            {
                "storage_keys": ["line-3/2031/panel.png", "twice//slashed.png", "root.png"],
                "preserve_folders": True,
            }
        ),
        [
            item("/line-3/2031", "panel.png", "image", "line-3/2031/panel.png"),
            item("/twice/", "slashed.png", "image", "twice//slashed.png"),
            item("/", "root.png", "image", "root.png"),
        ],
    ),
    Intent(
        "a PDF",
        Call({"storage_keys": ["reports/report.pdf"]}),
        [item("/", "report.pdf", "pdf", "reports/report.pdf")],
    ),
    Intent(
        "a video with every frame",
        Call({"storage_keys": ["gate/whole.mp4"]}),
        [item("/", "whole.mp4", "video", "gate/whole.mp4")],
    ),
    Intent(
        "videos at five frames a second, and an image beside them",
        Call({"storage_keys": ["gate/cam.mp4", "gate/cam.mov", "gate/cam.png"], "fps": 5}),
        [
            item("/", "cam.mp4", "video", "gate/cam.mp4", fps=5),
            item("/", "cam.mov", "video", "gate/cam.mov", fps=5),
            item("/", "cam.png", "image", "gate/cam.png"),
        ],
    ),
    Intent(
        "a DICOM file, which has no rate",
        Call({"storage_keys": ["ct/slice.dcm"], "fps": 5}),
        [item("/", "slice.dcm", "dicom", "ct/slice.dcm")],
    ),
    Intent(
        "a DICOM volume in three planes",
        Call({"storage_keys": ["ct/volume.dcm"], "multi_planar_view": True}),
        [item("/", "volume.dcm", "dicom", "ct/volume.dcm", extract_views="true")],
    ),
    Intent(
        "NIfTI in three planes",
        Call({"storage_keys": ["mr/brain.nii", "mr/brain.nii.gz"], "multi_planar_view": True}),
        [
            item("/", "brain.nii", "video", "mr/brain.nii"),
            item("/", "brain.nii.gz", "video", "mr/brain.nii.gz"),
        ],
    ),
    Intent(
        "files of which nobody says what Darwin takes them for",
        Call({"storage_keys": ["odd/slide.ndpi", "odd/tooth.rvg", "odd/scan.bpm"]}),
        [
            item("/", "slide.ndpi", "video", "odd/slide.ndpi"),
            item("/", "tooth.rvg", "video", "odd/tooth.rvg"),
            item("/", "scan.bpm", "video", "odd/scan.bpm"),
        ],
    ),
    Intent(
        "several slots",
        Call(
            {
                "storage_keys": {"run-118": ["rig/run-118/front.png", "rig/roofs/118.mp4"]},
                "fps": "native",
                "preserve_folders": True,
                "multi_slotted": True,
            }
        ),
        [
            slotted(
                "/rig/run-118",
                "run-118",
                slot("front.png", "front.png", "image", "rig/run-118/front.png"),
                slot("118.mp4", "118.mp4", "video", "rig/roofs/118.mp4", fps="native"),
            )
        ],
    ),
    Intent(
        "several slots with files of one name",
        Call({"storage_keys": {"pair": ["left/eye.png", "right/eye.png"]}, "multi_slotted": True}),
        [
            slotted(
                "/",
                "pair",
                slot("eye.png", "eye.png", "image", "left/eye.png"),
                slot("eye.png", "eye.png", "image", "right/eye.png"),
            )
        ],
        refused="slot_name must be unique, except for a series of dicom files",
    ),
    Intent(
        "a DICOM series",
        Call({"storage_keys": {"ct-4410": ["ct-4410/001.dcm", "ct-4410/002.dcm"]}, "multi_slotted": True}),
        [
            slotted(
                "/",
                "ct-4410",
                slot("001.dcm", "001.dcm", "dicom", "ct-4410/001.dcm"),
                slot("002.dcm", "002.dcm", "dicom", "ct-4410/002.dcm"),
            )
        ],
    ),
    Intent(
        "a DICOM series in three planes",
        Call(
            {
                "storage_keys": {"ct-4411": ["ct-4411/001.dcm", "ct-4411/002.dcm"]},
                "multi_planar_view": True,
                "multi_slotted": True,
            }
        ),
        [
            slotted(
                "/",
                "ct-4411",
                slot("001.dcm", "001.dcm", "dicom", "ct-4411/001.dcm", extract_views="true"),
                slot("002.dcm", "002.dcm", "dicom", "ct-4411/002.dcm", extract_views="true"),
            )
        ],
        refused='is for dicom in slot "0"',
    ),
    Intent(
        "an image of a read-only storage",
        Call({"storage_keys": ["line-3/kept.png"]}, storage=READ_ONLY),
        [item("/", "kept.png", "image", "line-3/kept.png")],
        refused="is read-only: use register_existing_readonly",
    ),
    Intent(
        "a video of a read-only storage at five frames a second",
        Call(
            {"files": ["worker/demo/samples/gate.mp4"], "path": "/gate", "fps": 5.0},
            storage=READ_ONLY,
            method="register_locally_processed",
            extracted={
                "type": "video",
                "storage_key": "thumbs/I/files/S/gate.mp4",
                "fps": 5.0,
                "total_size_bytes": 1_048_576,
                "name": "gate.mp4",
                "path": "/",
                **ARTEFACTS,
            },
        ),
        [
            slotted(
                "/gate",
                "gate.mp4",
                slot(
                    "gate.mp4",
                    "gate.mp4",
                    "video",
                    "thumbs/I/files/S/gate.mp4",
                    size_bytes=1_048_576,
                    **ARTEFACTS,
                ),
            )
        ],
        endpoint="register_existing_readonly",
    ),
]
