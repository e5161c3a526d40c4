"""The payloads of V7's page of item registration (seed 001) and of sections 1.3 to 1.9 of darwin-api.md that hold several
files, for read-write storages.
"""

from tests.docs.documented import HERE, INTAKE, Documented, puts

SERIES = [
    {
        "slot_name": "0",
        "type": "dicom",
        "storage_key": "dicom_slices/slice_1.dcm",
        "file_name": "slice_1.dcm",
    },
    {
        "slot_name": "0",
        "type": "dicom",
        "storage_key": "dicom_slices/slice_2.dcm",
        "file_name": "slice_2.dcm",
    },
    {
        "slot_name": "0",
        "type": "dicom",
        "storage_key": "dicom_slices/slice_3.dcm",
        "file_name": "slice_3.dcm",
    },
]

PAIR = """
        routes:
          - name: pairs
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            slot:
              by: "{filename}"
              values: {a.png: "0", b.png: "1"}
            group:
              complete: {slots: ["0", "1"]}
            layout: """
PAIR_SLOTS = [
    {"slot_name": "0", "file_name": "a.png", "type": "image", "storage_key": "incoming/pair/a.png"},
    {"slot_name": "1", "file_name": "b.png", "type": "image", "storage_key": "incoming/pair/b.png"},
]

GROUPS = [
    Documented(
        "seed 001, Registering Files in Multiple Slots",
        """
        routes:
          - name: cars
            regex: "(?P<what>[^/]+)_folder/[^/]+"
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            item_name: "{what}s"
            slot:
              by: "{filename}"
              values: {car_1.png: "0", car_2.png: "1", cars.mp4: "3"}
            group:
              complete: {slots: ["0", "1", "3"]}
        """,
        puts("car_folder/cars.mp4", "car_folder/car_2.png", "car_folder/car_1.png"),
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
                                "file_name": "car_1.png",
                            },
                            {
                                "slot_name": "1",
                                "type": "image",
                                "storage_key": "car_folder/car_2.png",
                                "file_name": "car_2.png",
                            },
                            {
                                "slot_name": "3",
                                "type": "video",
                                "storage_key": "car_folder/cars.mp4",
                                "file_name": "cars.mp4",
                            },
                        ],
                        "name": "cars",
                    }
                ],
                **HERE,
            }
        ],
    ),
    Documented(
        "seed 001, Registering DICOM Files, a series of slices",
        """
        routes:
          - name: series
            prefix: dicom_slices
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            path: /
            item_name: my_dicom_series
            group:
              complete: {count: 3}
        """,
        puts("dicom_slices/slice_2.dcm", "dicom_slices/slice_3.dcm", "dicom_slices/slice_1.dcm"),
        [{"items": [{"path": "/", "slots": SERIES, "name": "my_dicom_series"}], **HERE}],
    ),
    Documented(
        "seed 001, Uploading DICOM Slices as Series, with options (darwin-api.md 1.3 too)",
        """
        routes:
          - name: series
            prefix: dicom_slices
            dataset: your-dataset-slug-here
            storage: your-storage-bucket-name-here
            path: /
            item_name: my_dicom_series
            options: {ignore_dicom_layout: true}
            group:
              complete: {quiet: 5m}
        """,
        puts("dicom_slices/slice_2.dcm", "dicom_slices/slice_3.dcm", "dicom_slices/slice_1.dcm"),
        [
            {
                "items": [{"path": "/", "slots": SERIES, "name": "my_dicom_series"}],
                **HERE,
                "options": {"ignore_dicom_layout": True},
            }
        ],
    ),
    Documented(
        "seed 001, Registration Through darwin-py, multi_slotted",
        """
        routes:
          - name: samples
            prefix: my/sample
            dataset: dataset_slug
            storage: your_bucket_name
            path: /
            item_name: item3
            slot: "{filename}"
            group:
              complete: {slots: [image.png, video.mp4, pdf.pdf]}
        """,
        puts("my/sample/image.png", "my/sample/video.mp4", "my/sample/pdf.pdf"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "item3",
                        "slots": [
                            {
                                "slot_name": "image.png",
                                "file_name": "image.png",
                                "type": "image",
                                "storage_key": "my/sample/image.png",
                            },
                            {
                                "slot_name": "video.mp4",
                                "file_name": "video.mp4",
                                "type": "video",
                                "storage_key": "my/sample/video.mp4",
                            },
                            {
                                "slot_name": "pdf.pdf",
                                "file_name": "pdf.pdf",
                                "type": "pdf",
                                "storage_key": "my/sample/pdf.pdf",
                            },
                        ],
                    }
                ],
                "dataset_slug": "dataset_slug",
                "storage_slug": "your_bucket_name",
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.5, several slots with a layout (version 3) and tags",
        """
        routes:
          - name: rig
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            path: /rig
            slot:
              by: "{stem}"
              values: {front: "0", rear: "1", roof: "2"}
            fps: native
            tags: [night-shift]
            layout: {version: 3, slots_grid: [[["0"], ["1"]], [["2"]]]}
            group:
              complete: {slots: ["0", "1", "2"]}
        """,
        puts("incoming/run-118/roof.mp4", "incoming/run-118/front.png", "incoming/run-118/rear.png"),
        [
            {
                "items": [
                    {
                        "path": "/rig",
                        "name": "run-118",
                        "slots": [
                            {
                                "slot_name": "0",
                                "file_name": "front.png",
                                "type": "image",
                                "storage_key": "incoming/run-118/front.png",
                            },
                            {
                                "slot_name": "1",
                                "file_name": "rear.png",
                                "type": "image",
                                "storage_key": "incoming/run-118/rear.png",
                            },
                            {
                                "slot_name": "2",
                                "file_name": "roof.mp4",
                                "type": "video",
                                "fps": "native",
                                "storage_key": "incoming/run-118/roof.mp4",
                            },
                        ],
                        "layout": {"version": 3, "slots_grid": [[["0"], ["1"]], [["2"]]]},
                        "tags": ["night-shift"],
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.6, a series of slices",
        """
        routes:
          - name: series
            prefix: incoming
            glob: "*/*.dcm"
            dataset: intake
            storage: acme-prod-media
            path: /ct
            group:
              complete: {marker: _SUCCESS}
        """,
        puts("incoming/ct-4410/002.dcm", "incoming/ct-4410/001.dcm", "incoming/ct-4410/_SUCCESS"),
        [
            {
                "items": [
                    {
                        "path": "/ct",
                        "name": "ct-4410",
                        "slots": [
                            {
                                "slot_name": "0",
                                "file_name": "001.dcm",
                                "type": "dicom",
                                "storage_key": "incoming/ct-4410/001.dcm",
                            },
                            {
                                "slot_name": "0",
                                "file_name": "002.dcm",
                                "type": "dicom",
                                "storage_key": "incoming/ct-4410/002.dcm",
                            },
                        ],
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.9, layout version 1",
        PAIR + '{version: 1, type: horizontal, slots: ["0", "1"]}',
        puts("incoming/pair/a.png", "incoming/pair/b.png"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "pair",
                        "slots": PAIR_SLOTS,
                        "layout": {"version": 1, "type": "horizontal", "slots": ["0", "1"]},
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.9, layout version 2",
        PAIR + '{version: 2, type: grid, slots: ["0", "1"], layout_shape: [2, 1]}',
        puts("incoming/pair/a.png", "incoming/pair/b.png"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "pair",
                        "slots": PAIR_SLOTS,
                        "layout": {"version": 2, "type": "grid", "slots": ["0", "1"], "layout_shape": [2, 1]},
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.9, channels in one cell of layout version 3",
        """
        routes:
          - name: fields
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            slot: "{stem}"
            layout: {version: 3, slots_grid: [[[red, green, nir]]]}
            group:
              complete: {slots: [red, green, nir]}
        """,
        puts("incoming/field/green.tif", "incoming/field/nir.tif", "incoming/field/red.tif"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "field",
                        "slots": [
                            {
                                "slot_name": "red",
                                "file_name": "red.tif",
                                "type": "image",
                                "storage_key": "incoming/field/red.tif",
                            },
                            {
                                "slot_name": "green",
                                "file_name": "green.tif",
                                "type": "image",
                                "storage_key": "incoming/field/green.tif",
                            },
                            {
                                "slot_name": "nir",
                                "file_name": "nir.tif",
                                "type": "image",
                                "storage_key": "incoming/field/nir.tif",
                            },
                        ],
                        "layout": {"version": 3, "slots_grid": [[["red", "green", "nir"]]]},
                    }
                ],
                **INTAKE,
            }
        ],
    ),
]
