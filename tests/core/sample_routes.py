"""Lanes, storages and routes for the tests of routing, and strategies that draw more."""

from hypothesis import strategies as st

from worker.core.darwin import Storage
from worker.core.model import Lane, Mode, Record, S3Object
from worker.core.routes import Route

LANE = Lane("acme", "intake", "media")
OTHER_LANE = Lane("acme", "scans", "clinic")
STORAGES = {
    ("acme", "media"): Storage("media", "media", Mode.READ_WRITE, "aws", "acme-media", "darwin/data"),
    ("acme", "clinic"): Storage("clinic", "clinic", Mode.READ_WRITE, "aws", "acme-clinic", ""),
}
ALL = Route("all", LANE)


def created(key: str, bucket: str = "acme-media", size: int | None = 7) -> Record:
    return Record(S3Object(bucket, key, size=size), "ObjectCreated:Put", 1.0)


segments = st.text(st.sampled_from("ab."), min_size=1, max_size=3).filter(lambda s: s.strip("."))
file_names = st.builds("{}.{}".format, segments, st.sampled_from(["png", "mp4", "txt"]))
tame_keys = st.builds(
    lambda folders, name: "/".join([*folders, name]), st.lists(segments, max_size=4), file_names
)
globs = st.lists(
    st.sampled_from(["**", "*", "a*", "?", "*.png", "[ab]*", "*.txt"]), min_size=1, max_size=4
).filter(lambda parts: parts.count("**") <= 2)
routes = st.builds(
    Route,
    name=st.text(max_size=3),
    lane=st.sampled_from([LANE, OTHER_LANE]),
    bucket=st.sampled_from([None, "acme-media", "acme-clinic"]),
    prefix=st.lists(segments, max_size=2).map("/".join),
    glob=st.none() | globs.map("/".join),
)
