"""Sections 1 to 3: how much of Darwin's quota is used, when it is known, when it is not, and by a fleet."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import Found, Line, Use, over_time, percent, use_of
from tests.bench.programs import PEERS, ROOT, Bench, Program, bench
from tests.plot import Curve
from tests.servers import running_redis
from worker.demo.twin.limits import Form

RECORDS = 20_000
PER_SECOND = 10
BY_THE_MINUTE = {"requests": 60 * PER_SECOND, "seconds": 60.0, "darwin_latency": 0.05}
"""As Darwin's documentation tells its limits."""

BY_THE_SECOND = {"requests": PER_SECOND, "seconds": 1.0, "darwin_latency": 0.05}
"""The strictest that "ten a second" may mean: a request that is late by a hundredth of a second is one too many."""

STRICTEST = "server limits by sliding, by the second; we are set to 594 a minute, burst 1"
CAREFUL = {"WORKER_QUOTA__REQUESTS_PER_MINUTE": "594", "WORKER_QUOTA__BURST": "1"}
OURS = {"WORKER_QUOTA__REQUESTS_PER_MINUTE": str(60 * PER_SECOND)}
FORMS: Sequence[Form] = ("bucket", "fixed", "sliding")
PATIENCE = 30.0
"""Seconds that a peer is watched: what it has not done by then, it does at the same pace."""

PEER_COMMANDS: Mapping[str, Sequence[str]] = {
    "one POST per record (V7's page)": (sys.executable, "-m", "tests.bench.peers.lambda_flow"),
    "darwin-py register": (str(ROOT / ".venv-peers/bin/python"), str(PEERS / "darwin_py.py")),
    "sqs-consumer": ("node", str(PEERS / "sqs_consumer" / "consumer.mjs")),
}
COLOURS = {"worker": "#06c", **dict(zip(PEER_COMMANDS, ("#c60", "#090", "#909"), strict=True))}


def quota(folder: Path) -> Found:
    """A backlog of 20,000 records, 10 requests a second."""
    found, curves = Found(), list[Curve]()
    for form in FORMS:
        with bench(folder) as on:
            on.set(form=form, **BY_THE_MINUTE)
            state, began = _drained(on, on.worker(**OURS), RECORDS / 1000 + 30)
        use = use_of(state["answered"], PER_SECOND)
        found.lines.append(_line(1, f"server limits by {form}, by the minute", "worker", use, state))
        if form == "sliding":
            curves.append(Curve("worker", COLOURS["worker"], over_time(state["answered"], began)))
    with bench(folder) as on:
        on.set(form="sliding", **BY_THE_SECOND)
        state, _ = _drained(on, on.worker(**CAREFUL), RECORDS / 1000 + 30)
    found.lines.append(
        _line(1, STRICTEST, "worker", use_of(state["answered"], PER_SECOND), state, barred=False)
    )
    for name, command in PEER_COMMANDS.items():
        with bench(folder) as on:
            on.set(form="sliding", **BY_THE_MINUTE)
            state, began = _drained(on, on.peer(name, *command), PATIENCE)
        curves.append(Curve(name, COLOURS[name], over_time(state["answered"], began)))
        found.lines.append(_peer_line(name, state))
    found.plots["quota"] = ("Items registered of 20,000 at 10 requests a second", curves, ())
    return found


def _drained(on: Bench, program: Program, seconds: float) -> tuple[dict[str, Any], float]:
    """What was seen once the queue was empty, or so many seconds were over; and when it began."""
    on.clear()
    on.put(RECORDS)
    began = time.monotonic()
    on.until(lambda told: told["waiting"] == 0, seconds, program)
    return on.call("state"), began


def _line(
    section: int, what: str, who: str, use: Use, state: Mapping[str, Any], *, barred: bool = True
) -> Line:
    return Line(
        section,
        what,
        who,
        {
            "quota used": percent(use.used),
            "batches full": percent(use.fullness),
            "429": percent(use.refused),
            "items/s": f"{use.items_per_second:,.0f}",
            "registered": f"{state['distinct']:,}",
        },
        "98 % used, 99 % full, under 1 % refused" if barred else "",
        use.used >= 0.98 and use.fullness >= 0.99 and use.refused < 0.01 if barred else None,
    )


def _peer_line(name: str, state: Mapping[str, Any]) -> Line:
    answered = state["answered"]
    seconds = answered[-1][0] - answered[0][0] if answered else 0.0
    refused = sum(status != 200 for _, status, _ in answered)
    return Line(
        1,
        "server limits by sliding, by the minute",
        name,
        {
            "429": percent(refused / max(1, len(answered))),
            "items a request": f"{sum(items for *_, items in answered) / max(1, len(answered)):.1f}",
            "items/s": f"{state['items'] / max(seconds, 1.0):,.0f}",
            "registered": f"{state['distinct']:,} in {seconds:.0f} s",
            "deleted but not registered": f"{max(0, state['deleted'] - state['distinct']):,}",
        },
    )


def unknown(folder: Path, settle: float = 45.0, measure: float = 45.0) -> Found:
    """The server takes 60 % of what we are configured for; then twice as much, which is more than that."""
    found = Found()
    with bench(folder) as on:
        on.set(form="sliding", **BY_THE_SECOND | {"requests": 6})
        worker = on.worker(**OURS)
        on.put(600 * int(2 * settle + 2 * measure) * 2)
        began = time.monotonic()
        on.clear()
        for limit, allowed in ((6, 6), (12, PER_SECOND)):
            on.set(requests=limit)
            _pass(on, settle if limit == 6 else 2 * settle, worker)
            since = on.call("progress")["now"]
            _pass(on, measure, worker)
            answered = [each for each in on.call("state")["answered"] if each[0] >= since]
            use = use_of(answered, allowed)
            found.lines.append(
                Line(
                    2,
                    f"the server takes {limit} a second, we are set to {PER_SECOND}",
                    "worker",
                    {"of what both allow": percent(use.used), "429": percent(use.refused)},
                    "90 % used, under 3 % refused",
                    use.used >= 0.9 and use.refused < 0.03,
                )
            )
        answered = on.call("state")["answered"]
    pace = [
        (
            second + 2.5,
            sum(began + second <= at < began + second + 5 for at, status, _ in answered if status == 200) / 5,
        )
        for second in range(0, int(answered[-1][0] - began) - 5, 5)
    ]
    found.plots["unknown"] = (
        "Requests a second that passed: the server takes 6, then 12; we are set to 10",
        [Curve("worker", COLOURS["worker"], pace)],
        (),
    )
    return found


def _pass(on: Bench, seconds: float, *programs: Program) -> None:
    on.until(lambda _: False, seconds, *programs)


def fleet(folder: Path, seconds: float = 25.0) -> Found:
    """Four processes share one quota through Redis; then one of them is killed."""
    found = Found()
    with running_redis() as redis, bench(folder) as on:
        on.set(form="sliding", **BY_THE_MINUTE)
        workers = [on.worker(redis.url, WORKER_REPLICAS="4", **OURS) for _ in range(4)]
        on.put(1000 * int(3 * seconds + 30))
        _pass(on, 5.0, *workers)
        for what, living in (
            ("four processes together", workers),
            ("10 s after one was killed", workers[1:]),
        ):
            since = on.call("progress")["now"]
            _pass(on, seconds, *living)
            state = on.call("state")
            use = use_of([each for each in state["answered"] if each[0] >= since], PER_SECOND)
            found.lines.append(_line(3, what, "4 workers, Redis", use, state))
            if living is workers:
                workers[0].process.kill()
                _pass(on, 10.0, *workers[1:])
    return found
