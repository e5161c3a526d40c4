"""How `check` judges a Redis that holds the ledger, by what its INFO tells (https://redis.io/docs/latest/commands/info/)."""

from collections.abc import Mapping

from worker.core.checks import Finding, note, ok, wrong

OLDEST_VERSION = (6, 2)


def judge_redis(info: Mapping[str, object], place: str) -> list[Finding]:
    """What is to be said of the Redis at *place* (shown without its password).

    *info* has INFO's fields; and ``save``, the schedule of snapshots, unless the server keeps its settings to itself.
    """
    version = str(info.get("redis_version", "?"))
    found = [_judge_version(version), *_judge_role(info), *_judge_memory(info), _judge_persistence(info)]
    worries = [finding for finding in found if finding is not None]
    return worries or [ok("ledger", f"{place} answers: Redis {version}, which keeps what it is given")]


def _judge_version(version: str) -> Finding | None:
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    if len(numbers) == len(OLDEST_VERSION) and tuple(numbers) < OLDEST_VERSION:
        return note(
            "ledger", f"Redis is of version {version}; the worker is tested from 6.2 on. Use a newer one"
        )
    return None


def _judge_role(info: Mapping[str, object]) -> list[Finding]:
    if info.get("role") != "slave":
        return []
    primary = f"{info.get('master_host', '?')}:{info.get('master_port', '?')}"
    return [
        wrong(
            "ledger",
            f"the Redis is a replica of {primary} and takes no writes: give WORKER_LEDGER__URL the primary's address, or "
            "the one that follows it",
        )
    ]


def _judge_memory(info: Mapping[str, object]) -> list[Finding]:
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy == "noeviction":
        return []
    return [
        note(
            "ledger",
            f"when its memory is full, Redis throws entries of the ledger away (maxmemory-policy {policy}); what is "
            "forgotten may be sent twice, and then only Darwin's unique names tell it apart. Set maxmemory-policy to "
            "noeviction, and watch the memory",
        )
    ]


def _judge_persistence(info: Mapping[str, object]) -> Finding | None:
    if info.get("aof_enabled") == 1:
        return None
    costs = (
        "claims and registered entries, so that duplicates reach Darwin and only its unique names tell them apart. "
        "Set appendonly to yes"
    )
    match info.get("save"):
        case "":
            return note("ledger", f"Redis keeps nothing on disk: a restart forgets all {costs}")
        case None:
            text = "Redis writes no append-only file, and does not say whether it writes snapshots: a crash forgets"
            return note("ledger", f"{text} at least the latest {costs}")
        case _:
            return note("ledger", f"Redis writes snapshots only: a crash forgets the latest {costs}")
