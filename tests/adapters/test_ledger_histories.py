"""Random histories: every ledger answers as the one in memory does, which is the model."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.stores import LEDGERS, Clock, Opening
from tests.fakes.ledger import MemoryLedger
from worker.core.claims import Claim, Denied, Entry, Granted
from worker.core.model import Identity, S3Object
from worker.pipeline.ports import Ledger


@pytest.fixture(params=[name for name in LEDGERS if name != "memory"])
def opening(request: pytest.FixtureRequest) -> Opening[Ledger]:
    return LEDGERS[request.param](request)


names = st.builds(Identity, st.just(""), st.sampled_from(["one", "two"]), st.just("/"), st.sampled_from("ab"))
identities = st.lists(names, max_size=4)
claims = st.lists(
    st.tuples(names, st.builds(S3Object, st.just("media"), st.sampled_from("kl")), st.booleans()), max_size=4
)
tokens = st.sampled_from(["us", "they"])
histories = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([-5.0, 0.0, 1.0, 30.0, 100.0])),
        st.tuples(st.just("claim"), claims, tokens),
        st.tuples(st.just("register"), claims, tokens),
        st.tuples(st.just("release"), identities, tokens),
    ),
    max_size=30,
)


async def answers(ledger: Ledger, team: str, step: tuple[object, ...]) -> list[object]:
    """What *ledger* answers to one call; what earlier histories left in the store is another team's."""
    match step:
        case "claim", list(wanted), str(token):
            results = await ledger.claim(await wishes(ledger, team, wanted), token, 50)
            return [told(result) for result in results]
        case "register", list(wanted), str(token):
            await ledger.register(await wishes(ledger, team, wanted), token)
        case "release", list(wanted), str(token):
            await ledger.release([identity._replace(team=team) for identity in wanted], token)
    every = [Identity(team, dataset, "/", name) for dataset in ("one", "two") for name in "ab"]
    return [told(entry) for entry in await ledger.look_up(every)]


async def wishes(ledger: Ledger, team: str, wanted: Sequence[tuple[Identity, S3Object, bool]]) -> list[Claim]:
    """A claim for each identity and object; where the third is true, it supersedes what *ledger* holds."""
    identities = [identity._replace(team=team) for identity, _, _ in wanted]
    return [
        Claim(identity, thing, entry.at if entry and supersede else None)
        for identity, entry, (_, thing, supersede) in zip(
            identities, await ledger.look_up(identities), wanted, strict=True
        )
    ]


def told(answer: Entry | Granted | Denied | None) -> object:
    """An answer without the times of writing, which each ledger makes unique in its own way."""
    match answer:
        case Entry():
            return replace(answer, at=0)
        case Denied(entry):
            return Denied(replace(entry, at=0))
        case Granted(since, Entry() as lapsed):
            return Granted(since, replace(lapsed, at=0))
        case _:
            return answer


async def compare(opening: Opening[Ledger], history: Sequence[tuple[object, ...]]) -> None:
    clock = Clock()
    team = str(uuid4())
    memory = MemoryLedger(clock)
    async with opening.open(clock) as ledger:
        for step in history:
            match step:
                case "wait", float(seconds):
                    clock.time += seconds
                case _:
                    assert await answers(ledger, team, step) == await answers(memory, team, step)
        assert await answers(ledger, team, ("look up",)) == await answers(memory, team, ("look up",))


def test_any_history_of_calls_is_answered_as_the_ledger_in_memory_does(opening: Opening[Ledger]) -> None:
    """Law 1."""

    @settings(max_examples=10 if opening.slow else 60)
    @given(histories)
    def run(history: list[tuple[object, ...]]) -> None:
        asyncio.run(compare(opening, history))

    run()
