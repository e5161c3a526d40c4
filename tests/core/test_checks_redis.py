"""What `check` makes of a Redis that holds the ledger."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.core.checks import Level
from worker.core.checks_redis import judge_redis

PLACE = "redis://cache:6379"
GOOD: Mapping[str, object] = {
    "redis_version": "7.0.15",
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "save": "",
}


def test_a_primary_that_keeps_all_it_is_given_is_well() -> None:
    [finding] = judge_redis(GOOD, PLACE)
    assert finding.level is Level.OK
    assert finding.text == "redis://cache:6379 answers: Redis 7.0.15, which keeps what it is given"


@pytest.mark.parametrize(
    "version", ["6.2.0", "6.10.1", "7.2.4", "8.0.1", "10.0", "255.255.255", "unstable", ""]
)
def test_versions_from_6_2_on_and_unknown_ones_are_well(version: str) -> None:
    assert [finding.level for finding in judge_redis({**GOOD, "redis_version": version}, PLACE)] == [Level.OK]


@pytest.mark.parametrize("version", ["6.0.16", "5.0.6", "2.8.24"])
def test_an_older_version_is_noted(version: str) -> None:
    [finding] = judge_redis({**GOOD, "redis_version": version}, PLACE)
    assert finding.level is Level.NOTE
    assert f"of version {version}; the worker is tested from 6.2 on" in finding.text


def test_a_replica_is_wrong() -> None:
    info = {**GOOD, "role": "slave", "master_host": "10.0.0.1", "master_port": 6379}
    [finding] = judge_redis(info, PLACE)
    assert finding.level is Level.WRONG
    assert "a replica of 10.0.0.1:6379 and takes no writes" in finding.text


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"])
def test_a_policy_that_throws_entries_away_is_noted(policy: str) -> None:
    """The ledger's keys all have a time to live, so that the volatile policies take them too."""
    [finding] = judge_redis({**GOOD, "maxmemory_policy": policy}, PLACE)
    assert finding.level is Level.NOTE
    assert f"(maxmemory-policy {policy})" in finding.text
    assert "Set maxmemory-policy to noeviction" in finding.text


@pytest.mark.parametrize(
    ("save", "said"),
    [
        ({"save": ""}, "Redis keeps nothing on disk: a restart forgets all claims"),
        ({"save": "3600 1 300 100"}, "Redis writes snapshots only: a crash forgets the latest claims"),
        ({}, "does not say whether it writes snapshots"),
    ],
)
def test_without_an_append_only_file_what_is_lost_is_noted(save: Mapping[str, object], said: str) -> None:
    info = {**{name: value for name, value in GOOD.items() if name != "save"}, "aof_enabled": 0, **save}
    [finding] = judge_redis(info, PLACE)
    assert finding.level is Level.NOTE
    assert said in finding.text
    assert "Set appendonly to yes" in finding.text


def test_each_worry_is_a_finding_of_its_own() -> None:
    info = {
        "redis_version": "5.0.6",
        "role": "slave",
        "maxmemory_policy": "allkeys-lru",
        "aof_enabled": 0,
        "save": "",
    }
    levels = [finding.level for finding in judge_redis(info, PLACE)]
    assert levels == [Level.NOTE, Level.WRONG, Level.NOTE, Level.NOTE]


values = st.one_of(st.none(), st.integers(), st.text(), st.dictionaries(st.text(), st.integers()))


@given(st.dictionaries(st.sampled_from([*GOOD, "master_host"]), values))
def test_whatever_info_says_there_is_something_to_tell(info: dict[str, object]) -> None:
    findings = judge_redis(info, PLACE)
    assert findings
    assert all(finding.text for finding in findings)
