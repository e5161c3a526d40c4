"""Groups over the wire: S3 and SQS on an emulator, Redis as the ledger, three workers at once, the twin as Darwin.

Where a group is complete, the copy of its witness is still delayed in the queue, for up to 900 seconds. It says nothing any
more, and no test waits for it but the one whose route has a short limit, which shows what becomes of it. "At rest" means
that no message can be had and none is in anybody's hands.
"""

import json
import os
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.servers import running_redis
from tests.system.groups import (
    CAMERAS,
    ROUTES,
    SHORT_SECONDS,
    SLICES,
    Fleet,
    Items,
    depth,
    items_in,
    quiet_samples,
    samples,
)
from tests.system.outside import Cloud, Letter, until
from tests.system.processes import Twin, Worker, free_port, running_twin, settings_for
from tests.system.test_stop_from_outside import told_of

WORKERS = 3
DEEPEST = 800
"""Messages in the queue at most: MiniStack slows beyond a thousand."""

FAULTS: tuple[dict[str, object], ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "work": "all"},
    {"kind": "drop-answer-after-work"},
    {"kind": "slow-answer", "seconds": 5},
)
"""The last one outlasts the request's time-out."""


@pytest.fixture(scope="module")
def cloud(engine: str) -> Iterator[Cloud]:
    with closing(Cloud(engine, max_receive_count=100)) as made:
        made.notify_queue()
        yield made


@pytest.fixture(scope="module")
def twin(cloud: Cloud) -> Iterator[Twin]:
    with running_twin(cloud.bucket) as running:
        yield running


@pytest.fixture(scope="module")
def whole_fleet(cloud: Cloud, twin: Twin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    routes = folder / "routes.yaml"
    routes.write_text(ROUTES)
    settings = settings_for(cloud, twin.url, folder) | {
        "WORKER_ROUTES_FILE": str(routes),
        "WORKER_REPLICAS": str(WORKERS),
        "WORKER_DARWIN__REQUEST_TIMEOUT_SECONDS": "3",
        "WORKER_QUEUE__VISIBILITY_SECONDS": "10",
        "WORKER_BATCH__MAX_ITEMS": "20",
    }
    del settings["WORKER_DARWIN__DATASET"], settings["WORKER_DARWIN__STORAGE"]
    with ExitStack() as stack:
        redis = stack.enter_context(running_redis())

        def start() -> Worker:
            own = folder / f"worker-{len(list(folder.iterdir()))}"
            own.mkdir()
            mine = {"WORKER_LEDGER__URL": f"{redis.url}/0", "WORKER_WEB__PORT": str(free_port())}
            worker = Worker(settings | mine, own)
            stack.callback(worker.kill)
            return worker

        fleet = Fleet(start, WORKERS)
        fleet.fill()
        fleet.wait_until_ready()
        yield fleet


@pytest.fixture
def fleet(whole_fleet: Fleet, twin: Twin, cloud: Cloud) -> Iterator[Fleet]:
    """No test leaves an item extended, or a dead letter that it did not take."""
    yield whole_fleet
    counters = twin.counters()
    assert (counters["extensions"], counters["collisions"]) == (0, 0)
    assert cloud.waiting(cloud.dead_letter_url) == (0, 0)


@pytest.mark.timeout(300)
def test_each_group_is_one_item_with_all_its_parts_though_workers_die_and_darwin_fails(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    """All rules side by side, their parts in any order; what is quiet comes in one go, and a marker after its parts.

    The seed is a new one each time; ``GROUPS_SEED`` replays it, as far as the machine is as quick.
    """
    seed = int(os.environ.get("GROUPS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"groups: GROUPS_SEED={seed}")  # noqa: T201 - pytest shows it where the test fails
    chance = random.Random(seed)  # noqa: S311 - to be replayed, no secret
    for number, fault in enumerate(FAULTS):
        twin.control(
            "faults", fault | {"endpoint": "register", "probability": 0.1, "times": 5, "seed": number}
        )
    groups = samples(10, chance)
    quiet = quiet_samples(10, chance)
    puts = [(sample.folder + part, b"x") for sample in groups for part in sample.parts]
    puts += [(sample.folder + sample.marker, sample.content) for sample in groups if sample.route == "told"]
    chance.shuffle(puts)
    left = {sample: len(sample.parts) for sample in groups if sample.route == "marked"}
    rounds = 5
    for number in range(rounds):
        some = puts[number::rounds]
        some += [(each.folder + part, b"x") for each in quiet[number::rounds] for part in each.parts]
        chance.shuffle(some)
        moment = chance.randrange(len(some))
        for place, (key, content) in enumerate(some):
            cloud.s3.put_object(Bucket=cloud.bucket, Key=key, Body=content)
            if place == moment:
                fleet.kill(chance)
        for sample in left:
            left[sample] -= sum(key.startswith(sample.folder) for key, _ in some)
        for sample in [sample for sample, parts in left.items() if not parts]:
            cloud.upload(sample.folder + sample.marker, body=b"")
            del left[sample]
    assert len(fleet.ever) > WORKERS, "somebody was to be killed"
    twin.control("faults", {}, "DELETE")

    wanted = {place: files for sample in [*groups, *quiet] for place, files in sample.item.items()}
    assert items_at_rest(cloud, twin, wanted) == wanted


def test_a_part_whose_upload_began_first_and_ended_last_completes_its_group(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    """S3 dates it by its beginning, and lists it when it is whole."""
    key = "scenes/multipart/back.mp4"
    upload = cloud.s3.create_multipart_upload(Bucket=cloud.bucket, Key=key)["UploadId"]
    begun = {"Bucket": cloud.bucket, "Key": key, "UploadId": upload}
    tag = cloud.s3.upload_part(**begun, PartNumber=1, Body=b"first")["ETag"]
    cloud.upload(*(f"scenes/multipart/{camera}.mp4" for camera in ("front", "left", "right")))
    until("the other three are settled", lambda: fleet.settled("scenes/multipart/") >= 3)
    assert ("/scenes", "multipart") not in items_in(twin, "scenes")

    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    cloud.s3.complete_multipart_upload(**begun, MultipartUpload=parts)
    fleet.wait_for("scenes/multipart/", registered=1)
    assert items_in(twin, "scenes")["/scenes", "multipart"] == scene_files("scenes/multipart")


def test_a_witness_whose_object_is_deleted_still_tells_what_is_missing_or_finds_that_nothing_is(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    cloud.upload("short/lost/back.mp4", "short/mended/back.mp4")
    cloud.upload("short/lost/front.mp4", "short/mended/front.mp4")
    for group in ("lost", "mended"):
        fleet.wait_for(f"short/{group}/", postponed=1, waiting=1)
        cloud.s3.delete_object(Bucket=cloud.bucket, Key=f"short/{group}/back.mp4")
    cloud.upload(*(f"short/mended/{camera}.mp4" for camera in ("left", "right", "back")))
    fleet.wait_for("short/mended/", registered=1)
    assert items_in(twin, "short")["/short", "mended"] == scene_files("short/mended")

    [letter] = cloud.take_dead_letters(1)
    assert key_of(letter) == "short/lost/back.mp4"
    assert letter.said("reason") == "missing_parts"
    assert letter.said("detail") == (
        f"Of the group 'short/lost/', no file for slots 'back', 'left', 'right' is there within {SHORT_SECONDS} seconds."
    )
    fleet.wait_for("short/mended/", duplicate=1)
    assert fleet.outcomes("short/lost/") == {"waiting": 1, "postponed": 1, "blocked": 1}


def test_overwritten_parts_and_events_told_twice_change_nothing_and_a_late_part_is_a_dead_letter(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    cloud.upload("marked/late/b.mp4", body=b"old")
    cloud.upload("marked/late/a.mp4", "marked/late/b.mp4", body=b"new")
    until("both parts are settled", lambda: fleet.settled("marked/late/") >= 3)
    cloud.upload("marked/late/_SUCCESS", body=b"")
    fleet.wait_for("marked/late/", registered=1)
    cloud.send(told_of(cloud, f"marked/late/{name}") for name in ("a.mp4", "b.mp4", "_SUCCESS", "a.mp4"))
    cloud.upload("marked/late/b.mp4", body=b"newest")
    cloud.upload("marked/late/c.mp4")
    [letter] = cloud.take_dead_letters(1)
    assert (key_of(letter), letter.said("reason")) == ("marked/late/c.mp4", "late_part")
    until("all ten events are settled", lambda: fleet.settled("marked/late/") >= 10)
    assert items_in(twin, "marked")["/marked", "late"] == [
        ("a", "marked/late/a.mp4"),
        ("b", "marked/late/b.mp4"),
    ]


@pytest.mark.timeout(300)
def test_five_hundred_interleaved_scenes_of_four_cameras_are_each_one_item_whoever_is_told_of_their_parts(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    scenes = [f"many{number}" for number in range(500)]
    keys = [f"scenes/{scene}/{camera}.mp4" for scene in scenes for camera in CAMERAS]
    random.Random(500).shuffle(keys)  # noqa: S311 - no secret
    upload(cloud, keys)
    wanted = {("/scenes", scene): scene_files(f"scenes/{scene}") for scene in scenes}
    assert items_at_rest(cloud, twin, wanted) == wanted

    told = defaultdict[str, set[int]](set)
    registered = defaultdict[str, int](int)
    for worker, record in fleet.records("scenes/many"):
        scene = record["key"].split("/")[1]
        told[scene].add(worker.process.pid)
        registered[scene] += record["outcome"] == "registered"
    assert sum(len(workers) > 1 for workers in told.values()) > 100, "many scenes were to be told to several"
    assert set(registered.values()) == {1}


def test_a_series_of_a_thousand_slices_is_one_item_and_costs_far_fewer_listings(
    cloud: Cloud, twin: Twin, fleet: Fleet
) -> None:
    listed, asked = fleet.listings(), registrations(twin)
    keys = [f"series/ct/{number}.dcm" for number in range(SLICES)]
    upload(cloud, keys)
    wanted = {("/series", "ct"): [("0", key) for key in sorted(keys)]}
    assert items_at_rest(cloud, twin, wanted) == wanted
    listings, requests = fleet.listings() - listed, registrations(twin) - asked
    print(f"{SLICES} slices: {listings} listings, {requests} registration requests")  # noqa: T201 - with -s
    assert listings <= SLICES // 2
    assert requests == 1


def items_at_rest(cloud: Cloud, twin: Twin, wanted: Items) -> Items:
    """What Darwin holds in the place of these items once all is at rest and there is something in each place."""
    routes = {path.strip("/") for path, _ in wanted}

    def rest() -> bool:
        return depth(cloud) == 0 and items_in(twin, *routes).keys() >= wanted.keys()

    until(f"all is at rest, and Darwin holds {len(wanted)} items", rest, 120)
    return {place: files for place, files in items_in(twin, *routes).items() if place in wanted}


def scene_files(folder: str) -> list[tuple[str, str]]:
    return [(camera, f"{folder}/{camera}.mp4") for camera in sorted(CAMERAS)]


def key_of(letter: Letter) -> str:
    return str(json.loads(letter.body)["Records"][0]["s3"]["object"]["key"])


def registrations(twin: Twin) -> int:
    return sum(twin.counters()["requests"].get("register_existing", {}).values())


def upload(cloud: Cloud, keys: list[str]) -> None:
    """Never more at a time than are to be had of the queue."""
    at_once = 200
    for start in range(0, len(keys), at_once):
        until("the queue has room", lambda: depth(cloud) <= DEEPEST - at_once, 60)
        cloud.upload(*keys[start : start + at_once])
