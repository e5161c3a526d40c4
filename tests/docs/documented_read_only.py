"""The payloads of V7's pages for read-only storages: its page of item registration (seed 001), its guide of connecting S3
(seed 003), and section 1.7 of darwin-api.md.
"""

from tests.docs.documented import HERE, Documented, Put, puts
from tests.docs.world import picture
from worker.core.model import Mode

READ_ONLY = [
    Documented(
        "seed 001, Read-Only Registration, The Basics",
        """
        routes:
          - name: cars
            prefix: car_folder
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            thumbnail: "thumbnails/{stem}_thumbnail.png"
        """,
        [Put("car_folder/car_1.png", picture(1920, 1080)), Put("thumbnails/car_1_thumbnail.png")],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "type": "image",
                        "storage_key": "car_folder/car_1.png",
                        "storage_thumbnail_key": "thumbnails/car_1_thumbnail.png",
                        "height": 1080,
                        "width": 1920,
                        "name": "car_1.png",
                    }
                ],
                **HERE,
            }
        ],
        mode=Mode.READ_ONLY,
    ),
    Documented(
        "seed 001, Read-Only Registration, Registering files in Multiple Slots",
        """
        routes:
          - name: cars
            regex: "(?P<item>[^/]+)/(?:car_folder|video_folder)/[^/]+"
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            slot:
              by: "{filename}"
              values: {car_1.png: "0", car_2.png: "1", car_video.mp4: "2"}
            thumbnail: "thumbnails/{stem}_thumbnail.png"
            frames:
              high: "video_folder/{stem}/frame_*_hq.png"
              low: "video_folder/{stem}/frame_*_lq.png"
            group:
              by: "{item}/"
              complete: {slots: ["0", "1", "2"]}
        """,
        [
            Put("cars/car_folder/car_1.png", picture(1920, 1080)),
            Put("cars/car_folder/car_2.png", picture(1920, 1080)),
            *puts("thumbnails/car_1_thumbnail.png", "thumbnails/car_2_thumbnail.png"),
            Put("video_folder/car_video/frame_1_hq.png", picture(1920, 1080)),
            Put("video_folder/car_video/frame_1_lq.png", picture(480, 270)),
            Put("video_folder/car_video/frame_2_hq.png", picture(1920, 1080)),
            Put("video_folder/car_video/frame_2_lq.png", picture(480, 270)),
            *puts("thumbnails/car_video_thumbnail.png", "cars/video_folder/car_video.mp4"),
        ],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "slots": [
                            {
                                "slot_name": "0",
                                "type": "image",
                                "storage_key": "cars/car_folder/car_1.png",
                                "storage_thumbnail_key": "thumbnails/car_1_thumbnail.png",
                                "height": 1080,
                                "width": 1920,
                                "file_name": "car_1.png",
                            },
                            {
                                "slot_name": "1",
                                "type": "image",
                                "storage_key": "cars/car_folder/car_2.png",
                                "storage_thumbnail_key": "thumbnails/car_2_thumbnail.png",
                                "height": 1080,
                                "width": 1920,
                                "file_name": "car_2.png",
                            },
                            {
                                "slot_name": "2",
                                "type": "video",
                                "storage_key": "cars/video_folder/car_video.mp4",
                                "storage_thumbnail_key": "thumbnails/car_video_thumbnail.png",
                                "file_name": "car_video.mp4",
                                "sections": [
                                    {
                                        "section_index": 1,
                                        "height": 1080,
                                        "width": 1920,
                                        "storage_hq_key": "video_folder/car_video/frame_1_hq.png",
                                        "storage_lq_key": "video_folder/car_video/frame_1_lq.png",
                                    },
                                    {
                                        "section_index": 2,
                                        "height": 1080,
                                        "width": 1920,
                                        "storage_hq_key": "video_folder/car_video/frame_2_hq.png",
                                        "storage_lq_key": "video_folder/car_video/frame_2_lq.png",
                                    },
                                ],
                            },
                        ],
                        "name": "cars",
                    }
                ],
                **HERE,
            }
        ],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "slots": [
                            {
                                "slot_name": "0",
                                "type": "image",
                                "storage_key": "car_folder/car_1.png",
                                "storage_thumbnail_key": "thumbnails/car_1_thumbnail.png",
                                "height": 1080,
                                "width": 1920,
                                "file_name": "car_1.png",
                            },
                            {
                                "slot_name": "1",
                                "type": "image",
                                "storage_key": "car_folder/car_2.png",
                                "storage_thumbnail_key": "thumbnails/car_2_thumbnail.png",
                                "height": 1080,
                                "width": 1920,
                                "file_name": "car_2.png",
                            },
                            {
                                "slot_name": "2",
                                "type": "video",
                                "storage_key": "video_folder/car_video.mp4",
                                "storage_thumbnail_key": "thumbnails/car_video_thumbnail.png",
                                "file_name": "cars.mp4",
                                "sections": [
                                    {
                                        "section_index": 1,
                                        "height": 1080,
                                        "width": 1920,
                                        "storage_hq_key": "video_folder/car_video/frame_1_hq.png",
                                        "storage_lq_key": "video_folder/car_video/frame_1_lq.png",
                                    },
                                    {
                                        "section_index": 2,
                                        "height": 1080,
                                        "width": 1920,
                                        "storage_hq_key": "video_folder/car_video/frame_2_hq.png",
                                        "storage_lq_key": "video_folder/car_video/frame_2_lq.png",
                                    },
                                ],
                            },
                        ],
                        "name": "cars",
                    }
                ],
                **HERE,
            }
        ],
        "`storage_key`: the files lie below a folder of the item's, for keys without a common beginning make no group. "
        "`file_name` is the last part of the key, as the page itself asks; its sample says cars.mp4 of car_video.mp4.",
        Mode.READ_ONLY,
    ),
    Documented(
        "seed 003, Read-only Access, Video with own Thumbnails",
        """
        routes:
          - name: my-videos
            glob: storage_path.jpg
            dataset: my-dataset
            storage: my-storage-bucket
            item_name: my-video.mp4
            type: video
            fps: 2
            as_frames: false
            thumbnail: thumbnail_key.jpg
            frames: {high: hq_key_, low: lq_key_}
        """,
        [
            Put("hq_key_1.jpg", picture(1400, 1200)),
            Put("hq_key_2.jpg", picture(1400, 1200)),
            *puts("lq_key_1.jpg", "lq_key_2.jpg", "storage_path.jpg", "thumbnail_key.jpg"),
        ],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "as_frames": False,
                        "fps": 2,
                        "sections": [
                            {
                                "height": 1200,
                                "section_index": 1,
                                "width": 1400,
                                "storage_hq_key": "hq_key_1.jpg",
                                "storage_lq_key": "lq_key_1.jpg",
                            },
                            {
                                "height": 1200,
                                "width": 1400,
                                "section_index": 2,
                                "storage_hq_key": "hq_key_2.jpg",
                                "storage_lq_key": "lq_key_2.jpg",
                            },
                        ],
                        "name": "my-video.mp4",
                        "storage_key": "storage_path.jpg",
                        "storage_thumbnail_key": "thumbnail_key.jpg",
                        "type": "video",
                    }
                ],
                "dataset_slug": "my-dataset",
                "storage_slug": "my-storage-bucket",
            }
        ],
        mode=Mode.READ_ONLY,
    ),
    Documented(
        "darwin-api.md 1.7, an image in the flat form",
        """
        routes:
          - name: welds
            prefix: incoming
            dataset: intake
            storage: acme-ro
            thumbnail: "darwin-thumbs/{stem}.jpg"
        """,
        [Put("incoming/weld-07.png", picture(4096, 3000)), Put("darwin-thumbs/weld-07.jpg")],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "weld-07.png",
                        "type": "image",
                        "storage_key": "incoming/weld-07.png",
                        "storage_thumbnail_key": "darwin-thumbs/weld-07.jpg",
                        "width": 4096,
                        "height": 3000,
                    }
                ],
                "dataset_slug": "intake",
                "storage_slug": "acme-ro",
            }
        ],
        mode=Mode.READ_ONLY,
    ),
    Documented(
        "darwin-api.md 1.7, a video with its frames (ReadOnlySequenceSlot)",
        """
        routes:
          - name: gates
            prefix: incoming
            dataset: intake
            storage: acme-ro
            path: "/{stem}"
            fps: 2
            as_frames: false
            thumbnail: "derived/{stem}/thumb.jpg"
            frames: {high: "derived/{stem}/hq/", low: "derived/{stem}/lq/"}
        """,
        [
            Put("derived/gate/hq/1.png", picture(1920, 1080)),
            Put("derived/gate/hq/2.png", picture(1920, 1080)),
            *puts(
                "derived/gate/lq/1.jpg",
                "derived/gate/lq/2.jpg",
                "derived/gate/thumb.jpg",
                "incoming/gate.mp4",
            ),
        ],
        [
            {
                "items": [
                    {
                        "path": "/gate",
                        "name": "gate.mp4",
                        "type": "video",
                        "fps": 2,
                        "as_frames": False,
                        "storage_key": "incoming/gate.mp4",
                        "storage_thumbnail_key": "derived/gate/thumb.jpg",
                        "sections": [
                            {
                                "section_index": 1,
                                "width": 1920,
                                "height": 1080,
                                "storage_hq_key": "derived/gate/hq/1.png",
                                "storage_lq_key": "derived/gate/lq/1.jpg",
                            },
                            {
                                "section_index": 2,
                                "width": 1920,
                                "height": 1080,
                                "storage_hq_key": "derived/gate/hq/2.png",
                                "storage_lq_key": "derived/gate/lq/2.jpg",
                            },
                        ],
                    }
                ],
                "dataset_slug": "intake",
                "storage_slug": "acme-ro",
            }
        ],
        mode=Mode.READ_ONLY,
    ),
]
