"""How we differ from V7's own client for read-only storages, and why: as :mod:`tests.peers.different`."""

from tests.docs.world import picture
from tests.peers.darwin_py import READ_ONLY, Call
from tests.peers.intents import NOTHING, SENT, Intent, item, slot, slotted

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

DIFFERENT_READ_ONLY = [
    Intent(
        "an image of a read-only storage",
        Call({"storage_keys": ["line-3/kept.png"]}, storage=READ_ONLY),
        f"""
        routes:
          - name: kept
            prefix: line-3
            dataset: intake
            storage: {READ_ONLY}
            thumbnail: "small/{{stem}}.jpg"
        """,
        holding={"line-3/kept.png": picture(1920, 1080), "small/kept.jpg": b"JPEG"},
        theirs=[item("/", "kept.png", "line-3/kept.png", type="image")],
        refused="is read-only: use register_existing_readonly",
        our_endpoint="register_existing_readonly",
        ours=[
            item(
                "/",
                "kept.png",
                "line-3/kept.png",
                type="image",
                storage_thumbnail_key="small/kept.jpg",
                width=1920,
                height=1080,
            )
        ],
        differences={
            "V7 has an address of its own for items of read-only storages; darwin-py's `register` knows only the other one, "
            "and has no call for such an image.": {
                "endpoint": ("register_existing", "register_existing_readonly"),
            },
            "V7 requires that a thumbnail of each item is generated and available in the storage; the route says where.": {
                "items[0].storage_thumbnail_key": (NOTHING, "small/kept.jpg"),
            },
            "V7 asks for the exact height and width, for annotations depend on them; the first bytes of the image tell.": {
                "items[0].width": (NOTHING, 1920),
                "items[0].height": (NOTHING, 1080),
            },
        },
    ),
    Intent(
        "a video of a read-only storage at five frames a second, as HLS",
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
        "",
        endpoint="register_existing_readonly",
        theirs=[
            slotted(
                "/gate",
                "gate.mp4",
                slot(
                    "gate.mp4",
                    "gate.mp4",
                    "thumbs/I/files/S/gate.mp4",
                    type="video",
                    size_bytes=1_048_576,
                    **ARTEFACTS,
                ),
            )
        ],
        ours=None,
        differences={
            "No route can say this: the segments, frames and manifest are made with ffmpeg of the whole video and written "
            "into the bucket, for which V7 recommends darwin-py and so do we; what a route registers is a video with frames "
            "that somebody extracted before, V7's other documented form.": {
                "request": (SENT, NOTHING),
            }
        },
    ),
]
