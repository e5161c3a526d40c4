"""How we differ from V7's own client, and why: each row something wanted, what either sends for it, and each difference
under the sentence that explains it. Read-only storages have a file of their own.
"""

from tests.peers.darwin_py import NAMED, Call
from tests.peers.intents import FLAT, NOTHING, SENT, SLOTS, Intent, item, slot, slotted

ENVELOPE = [
    Intent(
        "folders kept",
        Call(
            {
                "storage_keys": ["line-3/2031/panel.png", "twice//slashed.png", "root.png"],
                "preserve_folders": True,
            }
        ),
        """
        routes:
          - name: all
            dataset: intake
            storage: prod
        """,
        theirs=[
            item("/line-3/2031", "panel.png", "line-3/2031/panel.png", type="image"),
            item("/twice/", "slashed.png", "twice//slashed.png", type="image"),
            item("/", "root.png", "root.png", type="image"),
        ],
        ours=[
            item("/line-3/2031", "panel.png", "line-3/2031/panel.png", type="image"),
            item("/twice", "slashed.png", "twice//slashed.png", type="image"),
            item("/", "root.png", "root.png", type="image"),
        ],
        differences={
            "An item is known by its path and name, so with us a folder has one spelling, that of Darwin's answers, without "
            "a slash behind it; what Darwin makes of another spelling, V7 does not document.": {
                "items[1].path": ("/twice/", "/twice"),
            }
        },
    ),
    Intent(
        "an image of a storage whose slug is not its name",
        Call({"storage_keys": ["night.png"]}, storage=NAMED),
        f"""
        routes:
          - name: night
            dataset: intake
            storage: {NAMED}
        """,
        theirs=[item("/", "night.png", "night.png", type="image")],
        ours=[item("/", "night.png", "night.png", type="image")],
        our_storage="night-shift",
        differences={
            "V7's page puts the name of the storage into `storage_slug`, and darwin-fiftyone, another client of V7's, its "
            "slug: where Darwin lists both and they differ, we send what the field is called.": {
                "storage_slug": ("Night Shift", "night-shift"),
            }
        },
    ),
]

TYPES = [
    Intent(
        "files of which nobody says what Darwin takes them for",
        Call({"storage_keys": ["odd/slide.ndpi", "odd/tooth.rvg", "odd/scan.bpm"]}),
        """
        routes:
          - name: odd
            dataset: intake
            storage: prod
            path: /
        """,
        theirs=[
            item("/", "slide.ndpi", "odd/slide.ndpi", type="video"),
            item("/", "tooth.rvg", "odd/tooth.rvg", type="video"),
            item("/", "scan.bpm", "odd/scan.bpm", type="video"),
        ],
        ours=[
            item("/", "slide.ndpi", "odd/slide.ndpi"),
            item("/", "tooth.rvg", "odd/tooth.rvg"),
            item("/", "scan.bpm", "odd/scan.bpm"),
        ],
        differences={
            "darwin-py takes for a video whatever it knows and has no other word for, be it a slide or an X-ray of teeth; "
            "V7 documents no type for these, says that the extension tells where `type` is left out, and leaves it out in "
            "its own Lambda.": {
                "items[0].type": ("video", NOTHING),
                "items[1].type": ("video", NOTHING),
                "items[2].type": ("video", NOTHING),
            }
        },
    ),
    Intent(
        "extensions in upper case, and a GIF",
        Call({"storage_keys": ["weld.PNG", "weld.Jpg", "cam.MP4", "slice.DCM", "leaf.gif"]}),
        """
        routes:
          - name: all
            dataset: intake
            storage: prod
        """,
        theirs=None,
        refused="Unsupported file type for the following storage key: weld.PNG.",
        ours=[
            item("/", "weld.PNG", "weld.PNG", type="image"),
            item("/", "weld.Jpg", "weld.Jpg", type="image"),
            item("/", "cam.MP4", "cam.MP4", type="video"),
            item("/", "slice.DCM", "slice.DCM", type="dicom"),
            item("/", "leaf.gif", "leaf.gif", type="image"),
        ],
        differences={
            "darwin-py compares extensions with their case, and its list has no GIF, which its newer model takes for an "
            "image; V7's pages tell of types and not of spellings, so any case will do for us.": {
                "request": (NOTHING, SENT),
            }
        },
    ),
    Intent(
        "an image, and beside it files of no known type",
        Call({"storage_keys": ["beside.png", "leaf.heic", "no-extension"]}),
        """
        routes:
          - name: all
            dataset: intake
            storage: prod
        """,
        theirs=None,
        refused="Unsupported file type for the following storage key: leaf.heic.",
        ours=[item("/", "beside.png", "beside.png", type="image")],
        dead={"leaf.heic": "rejected:unsupported_type", "no-extension": "rejected:unsupported_type"},
        differences={
            "darwin-py refuses the whole call for one name; V7 takes and blocks each item by itself, and we send the image "
            "and make dead letters of the two, until `types` in the routes file says what they are.": {
                "request": (NOTHING, SENT),
            }
        },
    ),
    Intent(
        "a tag",
        Call({"storage_keys": ["night.png"], "tags": ["night-shift"]}),
        """
        routes:
          - name: night
            dataset: intake
            storage: prod
            tags: [night-shift]
        """,
        theirs=None,
        refused="unexpected keyword argument 'tags'",
        ours=[item("/", "night.png", "night.png", type="image", tags=["night-shift"])],
        differences={
            "darwin-py's `register` has no argument for tags, though V7's own scripts and the model in darwin-py send them "
            "with the item (darwin-api.md section 1.4).": {
                "request": (NOTHING, SENT),
            }
        },
    ),
]

SLOTS_OF_AN_ITEM = [
    Intent(
        "several slots with files of one name",
        Call(
            {
                "storage_keys": {"pair": ["pair/left/eye.png", "pair/right/eye.png"]},
                "multi_slotted": True,
            }
        ),
        """
        routes:
          - name: pairs
            regex: "(?P<pair>[^/]+)/(?P<side>left|right)/[^/]+"
            dataset: intake
            storage: prod
            slot: "{side}"
            group:
              by: "{pair}/"
              complete: {slots: [left, right]}
        """,
        theirs=[
            slotted(
                "/",
                "pair",
                slot("eye.png", "eye.png", "pair/left/eye.png", type="image"),
                slot("eye.png", "eye.png", "pair/right/eye.png", type="image"),
            )
        ],
        refused="slot_name must be unique, except for a series of dicom files",
        ours=[
            slotted(
                "/",
                "pair",
                slot("left", "eye.png", "pair/left/eye.png", type="image"),
                slot("right", "eye.png", "pair/right/eye.png", type="image"),
            )
        ],
        differences={
            "V7: slots can be named any string, so long as they are unique; darwin-py names each after its file and cannot tell "
            "the two apart, while a route names a slot by any part of the key.": {
                "items[0].slots[0].slot_name": ("eye.png", "left"),
                "items[0].slots[1].slot_name": ("eye.png", "right"),
            }
        },
    ),
]

MEDICAL = [
    Intent(
        "a DICOM volume in three planes",
        Call({"storage_keys": ["ct/volume.dcm"], "multi_planar_view": True}),
        """
        routes:
          - name: volumes
            dataset: intake
            storage: prod
            path: /
            extract_views: true
        """,
        theirs=[item("/", "volume.dcm", "ct/volume.dcm", type="dicom", extract_views="true")],
        ours=[
            slotted(
                "/",
                "volume.dcm",
                slot("0", "volume.dcm", "ct/volume.dcm", type="dicom", extract_views="true"),
            )
        ],
        differences={
            "V7 on multi-planar view: the specified slot_name must be 0; only the form with slots specifies one, and V7's "
            "sample has that form.": {
                "items[0]": (FLAT, SLOTS),
            }
        },
    ),
    Intent(
        "NIfTI in three planes",
        Call({"storage_keys": ["mr/brain.nii", "mr/brain.nii.gz"], "multi_planar_view": True}),
        """
        routes:
          - name: brains
            dataset: intake
            storage: prod
            path: /
            extract_views: true
        """,
        theirs=[
            item("/", "brain.nii", "mr/brain.nii", type="video"),
            item("/", "brain.nii.gz", "mr/brain.nii.gz", type="video"),
        ],
        ours=[
            slotted(
                "/", "brain.nii", slot("0", "brain.nii", "mr/brain.nii", type="dicom", extract_views="true")
            ),
            slotted(
                "/",
                "brain.nii.gz",
                slot("0", "brain.nii.gz", "mr/brain.nii.gz", type="dicom", extract_views="true"),
            ),
        ],
        differences={
            "darwin-py's list of extensions has NIfTI among the videos, while its newer model types it dicom and V7's pages "
            "have it beside DICOM, among the medical files.": {
                "items[0].slots[0].type": ("video", "dicom"),
                "items[1].slots[0].type": ("video", "dicom"),
            },
            "As a video it silently gets no views; V7 asks for them with `extract_views`, for medical volumes.": {
                "items[0].slots[0].extract_views": (NOTHING, "true"),
                "items[1].slots[0].extract_views": (NOTHING, "true"),
            },
            "V7 on multi-planar view: the specified slot_name must be 0; only the form with slots specifies one.": {
                "items[0]": (FLAT, SLOTS),
                "items[1]": (FLAT, SLOTS),
            },
        },
    ),
    Intent(
        "a DICOM series",
        Call({"storage_keys": {"ct-4410": ["ct-4410/001.dcm", "ct-4410/002.dcm"]}, "multi_slotted": True}),
        """
        routes:
          - name: series
            dataset: intake
            storage: prod
            group:
              complete: {count: 2}
        """,
        theirs=[
            slotted(
                "/",
                "ct-4410",
                slot("001.dcm", "001.dcm", "ct-4410/001.dcm", type="dicom"),
                slot("002.dcm", "002.dcm", "ct-4410/002.dcm", type="dicom"),
            )
        ],
        ours=[
            slotted(
                "/",
                "ct-4410",
                slot("0", "001.dcm", "ct-4410/001.dcm", type="dicom"),
                slot("0", "002.dcm", "ct-4410/002.dcm", type="dicom"),
            )
        ],
        differences={
            "V7: a series of slices is registered as a sequence by registering them in the same slot_name; darwin-py names "
            "each slot after its file, so it cannot, and its slices lie beside each other.": {
                "items[0].slots[0].slot_name": ("001.dcm", "0"),
                "items[0].slots[1].slot_name": ("002.dcm", "0"),
            }
        },
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
        """
        routes:
          - name: series
            dataset: intake
            storage: prod
            group:
              complete: {manifest: series.json}
        """,
        holding={
            "ct-4411/series.json": b"""{
                "slots": [{"slot": "0", "file": "001.dcm", "extract_views": true},
                          {"slot": "0", "file": "002.dcm", "extract_views": true}]
            }"""
        },
        theirs=[
            slotted(
                "/",
                "ct-4411",
                slot("001.dcm", "001.dcm", "ct-4411/001.dcm", type="dicom", extract_views="true"),
                slot("002.dcm", "002.dcm", "ct-4411/002.dcm", type="dicom", extract_views="true"),
            )
        ],
        refused='is for dicom in slot "0"',
        ours=[
            slotted(
                "/",
                "ct-4411",
                slot("0", "001.dcm", "ct-4411/001.dcm", type="dicom", extract_views="true"),
                slot("0", "002.dcm", "ct-4411/002.dcm", type="dicom", extract_views="true"),
            )
        ],
        differences={
            "V7 on multi-planar view: the specified slot_name must be 0; its sample has one file there, and what Darwin makes "
            "of several is not documented, so with us only a manifest can ask for it, file by file.": {
                "items[0].slots[0].slot_name": ("001.dcm", "0"),
                "items[0].slots[1].slot_name": ("002.dcm", "0"),
            }
        },
    ),
]

DIFFERENT = [*ENVELOPE, *TYPES, *SLOTS_OF_AN_ITEM, *MEDICAL]
