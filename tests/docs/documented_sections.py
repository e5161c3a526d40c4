"""The payloads of sections 1.4 to 1.6 of darwin-api.md for read-write storages, of one file each."""

from tests.docs.documented import INTAKE, Documented, Put, puts

SECTIONS = [
    Documented(
        "darwin-api.md 1.4, tags as a map of classes to texts, and metadata",
        """
        routes:
          - name: line
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            tags: {shift: night}
            metadata: {station: "A{stem[-1:]}", levels: {"0": [1, 2]}}
        """,
        puts("incoming/weld-7.jpg"),
        [
            {
                "items": [
                    {
                        "path": "/",
                        "name": "weld-7.jpg",
                        "type": "image",
                        "storage_key": "incoming/weld-7.jpg",
                        "tags": {"shift": "night"},
                        "metadata": {"station": "A7", "levels": {"0": [1, 2]}},
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.5, an image in the flat form",
        """
        routes:
          - name: line
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
        """,
        puts("incoming/line-3/2031/weld+07.jpg"),
        [
            {
                "items": [
                    {
                        "path": "/line-3/2031",
                        "name": "weld 07.jpg",
                        "type": "image",
                        "storage_key": "incoming/line-3/2031/weld 07.jpg",
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.5, a video in the flat form",
        """
        routes:
          - name: gate
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            fps: 5
            as_frames: false
        """,
        puts("incoming/gate/gate-cam.mp4"),
        [
            {
                "items": [
                    {
                        "path": "/gate",
                        "name": "gate-cam.mp4",
                        "type": "video",
                        "storage_key": "incoming/gate/gate-cam.mp4",
                        "fps": 5,
                        "as_frames": False,
                    }
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.6, NIfTI",
        """
        routes:
          - name: brains
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
        """,
        puts("incoming/mri/brain.nii.gz", "incoming/mri/brain.nii"),
        [
            {
                "items": [
                    {
                        "path": "/mri",
                        "name": "brain.nii.gz",
                        "type": "dicom",
                        "storage_key": "incoming/mri/brain.nii.gz",
                    },
                    {
                        "path": "/mri",
                        "name": "brain.nii",
                        "type": "dicom",
                        "storage_key": "incoming/mri/brain.nii",
                    },
                ],
                **INTAKE,
            }
        ],
    ),
    Documented(
        "darwin-api.md 1.6, a volume for multi-planar views",
        """
        routes:
          - name: volumes
            prefix: incoming
            dataset: intake
            storage: acme-prod-media
            path: /ct
            item_name: "{stem}"
            type: dicom
            extract_views: true
        """,
        [Put("incoming/vol.dcm")],
        [
            {
                "items": [
                    {
                        "path": "/ct",
                        "name": "vol",
                        "slots": [
                            {
                                "slot_name": "0",
                                "type": "dicom",
                                "file_name": "vol.dcm",
                                "storage_key": "incoming/vol.dcm",
                                "extract_views": "true",
                            }
                        ],
                    }
                ],
                **INTAKE,
            }
        ],
    ),
]
