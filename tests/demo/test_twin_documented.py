"""Every registration that V7's pages and darwin-api.md show is taken by the twin, as it is written there."""

import pytest

from tests.demo.twin_calls import REGISTER, REGISTER_READONLY, Calls, Json

FLAT_IMAGE = {
    "path": "/",
    "type": "image",
    "storage_key": "car_folder/car_1.png",
    "name": "car_1.png",
}
FLAT_VIDEO = {
    "path": "/gate",
    "name": "gate-cam.mp4",
    "type": "video",
    "storage_key": "incoming/gate/gate-cam.mp4",
    "fps": 5,
    "as_frames": False,
}
LAMBDA = {"path": "/", "storage_key": "darwin_uploads/weld.png", "name": "weld.png"}
SLOT_WITHOUT_TYPE = {
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
SLOT_WITH_VIDEO = {
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
SEVERAL_SLOTS = {
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
RIG = {
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
CHANNELS = {
    "name": "field",
    "slots": [
        {"slot_name": "red", "file_name": "red.tif", "storage_key": "in/red.tif"},
        {"slot_name": "green", "file_name": "green.tif", "storage_key": "in/green.tif"},
        {"slot_name": "nir", "file_name": "nir.tif", "storage_key": "in/nir.tif"},
    ],
    "layout": {"version": 3, "slots_grid": [[["red", "green", "nir"]]]},
    "tags": {"night-shift": "from ten to six"},
}
PAIR = {
    "name": "pair",
    "slots": [
        {"slot_name": "0", "file_name": "a.png", "storage_key": "in/a.png"},
        {"slot_name": "1", "file_name": "b.png", "storage_key": "in/b.png"},
    ],
}
FLAT_DICOM = {
    "path": "/",
    "type": "dicom",
    "storage_key": "dicom_folder/my_dicom_series.dcm",
    "name": "my_dicom_series.dcm",
}
NIFTI = {"path": "/", "type": "dicom", "storage_key": "mri/brain.nii.gz", "name": "brain.nii.gz"}
SERIES = {
    "path": "/",
    "slots": [
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
    ],
    "name": "my_dicom_series",
}
VOLUME = {
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

READ_ONLY_IMAGE = {
    "path": "/",
    "type": "image",
    "storage_key": "car_folder/car_1.png",
    "storage_thumbnail_key": "thumbnails/car_1_thumbnail.png",
    "height": 1080,
    "width": 1920,
    "name": "car_1.png",
}
READ_ONLY_SLOTS = {
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
READ_ONLY_SEQUENCE = {
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
TILES = {
    "name": "slide",
    "slots": [
        {
            "slot_name": "0",
            "file_name": "slide.png",
            "type": "image",
            "size_bytes": 900,
            "storage_key": "tiles/slide.png",
            "storage_thumbnail_key": "thumbnails/slide.jpg",
            "sections": [
                {
                    "section_index": 1,
                    "width": 4096,
                    "height": 3072,
                    "size_bytes": 900,
                    "storage_hq_key": "tiles/slide.png",
                    "type": "image",
                }
            ],
            "metadata": {
                "base_key": "tiles",
                "levels": {
                    "0": {
                        "format": "png",
                        "pixel_ratio": 1,
                        "tile_width": 1024,
                        "tile_height": 1024,
                        "x_tiles": 4,
                        "y_tiles": 3,
                    }
                },
            },
        }
    ],
}
PROCESSED_VIDEO = {
    "name": "gate.mp4",
    "path": "/gate",
    "slots": [
        {
            "slot_name": "gate.mp4",
            "file_name": "gate.mp4",
            "type": "video",
            "storage_key": "dw/IU/files/SU/gate.mp4",
            "width": 1280,
            "height": 720,
            "native_fps": 25.0,
            "visible_frames": 50,
            "total_frames": 250,
            "size_bytes": 1048576,
            "hls_segments": {
                "high_quality": {
                    "index": "#EXTM3U\ndw/IU/files/SU/segments/high/000000000.ts\n#EXT-X-ENDLIST\n",
                    "bitrate": 2100000.0,
                },
                "low_quality": {
                    "index": "#EXTM3U\ndw/IU/files/SU/segments/low/000000000.ts\n#EXT-X-ENDLIST\n",
                    "bitrate": 260000.0,
                },
            },
            "storage_sections_key_prefix": "dw/IU/files/SU/sections/high",
            "storage_sections_key_extension": "png",
            "storage_low_quality_sections_key_prefix": "dw/IU/files/SU/sections/low",
            "storage_frames_manifest_key": "dw/IU/files/SU/frames_manifest.txt",
            "storage_thumbnail_key": "dw/IU/files/SU/thumbnail.jpg",
            "storage_audio_peaks_key": "dw/IU/files/SU/audio_peaks.gz",
        }
    ],
}


def accepted(item: dict[str, Json], path: str = REGISTER, **envelope: object) -> list[Json]:
    """The slots of the item, as the twin echoes them."""
    calls = Calls()
    status, body = calls.register(item, path=path, **envelope)
    assert status == 200, body
    assert body["blocked_items"] == []
    (echo,) = body["items"]
    assert echo["name"] == item["name"]
    slots: list[Json] = echo["slots"]
    return slots


@pytest.mark.parametrize(
    ("item", "slots"),
    [
        (FLAT_IMAGE, ["0"]),
        (FLAT_VIDEO, ["0"]),
        (FLAT_VIDEO | {"fps": "native", "as_frames": "false"}, ["0"]),
        (FLAT_VIDEO | {"fps": 0, "as_frames": True}, ["0"]),
        (FLAT_VIDEO | {"fps": 29.97}, ["0"]),
        (LAMBDA, ["0"]),
        (SLOT_WITHOUT_TYPE, ["1"]),
        (SLOT_WITH_VIDEO, ["1"]),
        (SEVERAL_SLOTS, ["0", "1", "3"]),
        (RIG, ["0", "1", "2"]),
        (CHANNELS, ["red", "green", "nir"]),
        (PAIR | {"layout": {"version": 1, "type": "horizontal", "slots": ["0", "1"]}}, ["0", "1"]),
        (
            PAIR | {"layout": {"version": 2, "type": "grid", "slots": ["0", "1"], "layout_shape": [2, 1]}},
            ["0", "1"],
        ),
        (FLAT_DICOM, ["0"]),
        (FLAT_DICOM | {"extract_views": "true"}, ["0"]),
        (NIFTI, ["0"]),
        (SERIES, ["0", "0", "0"]),
        (VOLUME, ["0"]),
    ],
)
def test_a_documented_registration_is_taken(item: dict[str, Json], slots: list[str]) -> None:
    assert [slot["slot_name"] for slot in accepted(item)] == slots


@pytest.mark.parametrize(
    ("item", "types"),
    [
        (READ_ONLY_IMAGE, ["image"]),
        (READ_ONLY_SLOTS, ["image", "image", "video"]),
        (READ_ONLY_SEQUENCE, ["video"]),
        (TILES, ["image"]),
        (PROCESSED_VIDEO, ["video"]),
    ],
)
def test_a_documented_read_only_registration_is_taken(item: dict[str, Json], types: list[str]) -> None:
    assert [slot["type"] for slot in accepted(item, REGISTER_READONLY)] == types


def test_a_processed_video_is_taken_for_a_read_write_storage_too() -> None:
    assert len(accepted(PROCESSED_VIDEO, REGISTER_READONLY, storage_slug="acme-media")) == 1


def test_the_documented_option_is_taken() -> None:
    assert len(accepted(SERIES, options={"ignore_dicom_layout": True})) == 3


@pytest.mark.parametrize("extension", ["ndpi", "mrxs", "rvg", "bpm"])
def test_an_extension_whose_type_is_not_known_is_taken_without_one(extension: str) -> None:
    """Section 4.3: the type is left to Darwin."""
    item = {"path": "/", "name": f"a.{extension}", "storage_key": f"in/a.{extension}"}
    assert len(accepted(item)) == 1
