"""The payloads of V7's pages for read-write storages, of one file each: its Lambda page (seed 000), its page of item
registration (seed 001) and its guide of connecting S3 (seed 003).
"""

from tests.docs.documented import HERE, Documented, puts

LAMBDA = [
    Documented(
        "seed 000, Lambda Code",
        """
        routes:
          - name: lambda
            prefix: darwin_uploads
            dataset: dataset-slug
            storage: storage-name-in-v7
            path: /
        """,
        puts("darwin_uploads/2031/car_1%281%29.png"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "storage_key": "darwin_uploads/2031/car_1(1).png",
                        "name": "car_1(1).png",
                        "type": "image",
                    }
                ],
                "dataset_slug": "dataset-slug",
                "storage_slug": "storage-name-in-v7",
            }
        ],
        [
            {
                "items": [
                    {
                        "path": "/",
                        "storage_key": "darwin_uploads/2031/car_1(1).png",
                        "name": "car_1(1).png",
                    }
                ],
                "dataset_slug": "dataset-slug",
                "storage_slug": "storage-name-in-v7",
            }
        ],
        "`type` is sent wherever the extension tells it; V7's Lambda leaves Darwin to find it.",
    ),
    Documented(
        "seed 000, the dataset by the first two characters of the file name",
        """
        routes:
          - name: lambda
            prefix: darwin_uploads
            storage: storage-name-in-v7
            path: /
            type: image
            dataset:
              by: "{filename[:2]}"
              values: {"12": dataset-1, "13": dataset-2, "14": dataset-3}
              otherwise: s3-integration
        """,
        puts(
            "darwin_uploads/12a.png",
            "darwin_uploads/13a.png",
            "darwin_uploads/14a.png",
            "darwin_uploads/a12.png",
        ),
        [
            {
                "items": [
                    {"path": "/", "storage_key": "darwin_uploads/12a.png", "name": "12a.png", "type": "image"}
                ],
                "dataset_slug": "dataset-1",
                "storage_slug": "storage-name-in-v7",
            },
            {
                "items": [
                    {"path": "/", "storage_key": "darwin_uploads/13a.png", "name": "13a.png", "type": "image"}
                ],
                "dataset_slug": "dataset-2",
                "storage_slug": "storage-name-in-v7",
            },
            {
                "items": [
                    {"path": "/", "storage_key": "darwin_uploads/14a.png", "name": "14a.png", "type": "image"}
                ],
                "dataset_slug": "dataset-3",
                "storage_slug": "storage-name-in-v7",
            },
            {
                "items": [
                    {"path": "/", "storage_key": "darwin_uploads/a12.png", "name": "a12.png", "type": "image"}
                ],
                "dataset_slug": "s3-integration",
                "storage_slug": "storage-name-in-v7",
            },
        ],
    ),
]

REGISTRATION = [
    Documented(
        "seed 001, Read-Write Registration, The Basics",
        """
        routes:
          - name: cars
            prefix: car_folder
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
        """,
        puts("car_folder/car_1.png"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "type": "image",
                        "storage_key": "car_folder/car_1.png",
                        "name": "car_1.png",
                    }
                ],
                **HERE,
            }
        ],
    ),
    Documented(
        "seed 001, Registering DICOM Files, a series as one file",
        """
        routes:
          - name: scans
            prefix: dicom_folder
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            fps: 5   # for the videos beside them: it is never sent for DICOM
        """,
        puts("dicom_folder/my_dicom_series.dcm"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "type": "dicom",
                        "storage_key": "dicom_folder/my_dicom_series.dcm",
                        "name": "my_dicom_series.dcm",
                    }
                ],
                **HERE,
            }
        ],
    ),
    Documented(
        "seed 001, Multi-Planar View",
        """
        routes:
          - name: volumes
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            path: /
            item_name: "{folder}.dcm"
            extract_views: true
        """,
        puts("001/slice1.dcm"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "slots": [
                            {
                                "type": "dicom",
                                "slot_name": "0",
                                "storage_key": "001/slice1.dcm",
                                "file_name": "slice1.dcm",
                                "extract_views": "true",
                            }
                        ],
                        "name": "001.dcm",
                    }
                ],
                **HERE,
            }
        ],
    ),
    Documented(
        "seed 001, Registration Through darwin-py, preserve_folders",
        """
        routes:
          - name: everything
            dataset: dataset_slug
            storage: your_bucket_name
        """,
        puts("path/to/first/image.png", "path/to/second/image.png"),
        [
            {
                "items": [
                    {
                        "path": "/path/to/first",
                        "type": "image",
                        "storage_key": "path/to/first/image.png",
                        "name": "image.png",
                    },
                    {
                        "path": "/path/to/second",
                        "type": "image",
                        "storage_key": "path/to/second/image.png",
                        "name": "image.png",
                    },
                ],
                "dataset_slug": "dataset_slug",
                "storage_slug": "your_bucket_name",
            }
        ],
    ),
]

GUIDE = [
    Documented(
        "seed 003, Read and Write Access, Images",
        """
        routes:
          - name: cars
            prefix: car_folder
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            slot: "1"
            as_frames: false
        """,
        puts("car_folder/cars.jpg"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "slots": [
                            {
                                "slot_name": "1",
                                "storage_key": "car_folder/cars.jpg",
                                "file_name": "cars.jpg",
                                "type": "image",
                            }
                        ],
                        "name": "cars.jpg",
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
                                "as_frames": "false",
                                "slot_name": "1",
                                "storage_key": "car_folder/cars.jpg",
                                "file_name": "cars.jpg",
                            }
                        ],
                        "name": "cars.jpg",
                    }
                ],
                **HERE,
            }
        ],
        "`type` is sent wherever the extension tells it, and `as_frames` only for videos: an image has no frames.",
    ),
    Documented(
        "seed 003, Read and Write Access, Videos",
        """
        routes:
          - name: seals
            prefix: seals_folder
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            item_name: Seals
            slot: "1"
            fps: 10
            as_frames: false
        """,
        puts("seals_folder/seals.mp4"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "slots": [
                            {
                                "as_frames": False,
                                "slot_name": "1",
                                "fps": 10,
                                "file_name": "seals.mp4",
                                "storage_key": "seals_folder/seals.mp4",
                                "type": "video",
                            }
                        ],
                        "name": "Seals",
                    }
                ],
                **HERE,
            }
        ],
    ),
]

READ_WRITE = [*LAMBDA, *REGISTRATION, *GUIDE]
