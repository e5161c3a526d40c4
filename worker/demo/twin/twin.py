"""The twin itself: one request in, one reply out, with the time passed in; nothing waits and nothing is sent here.

In order: control calls (under ``/_twin/``, no key, no limit), the address, the key, the team, the limits, planned
faults, the work. What fails early costs what Darwin would charge for it: an unknown address or a bad key takes
nothing from a limit, a faulty request does.

``/as/somebody`` before any address is how somebody who shares a key tells who is asking: it changes nothing, and the
journal says it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from worker.demo.twin import archiving, control, journal, listing, page
from worker.demo.twin.faults import Fault, Target, Work
from worker.demo.twin.listing import Query
from worker.demo.twin.registering import Glance, Registration, glance
from worker.demo.twin.replies import Reply, error, failure, html_reply, retry_after
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches
from worker.demo.twin.world import World

_NOTHING = Glance("", (), ())
_CUT_SHORT = b'{"items":[{"id":'


@dataclass(frozen=True, slots=True)
class _Ask:
    endpoint: str
    team: str | None
    method: str
    query: Query
    headers: Mapping[str, str]
    body: bytes
    by: str

    @property
    def registers(self) -> bool:
        return self.endpoint.startswith("register")

    @property
    def method_due(self) -> str:
        return "POST" if self.registers or self.endpoint == "archive" else "GET"


class Twin:
    """A Darwin with *teams*. Not for use from several threads."""

    def __init__(self, teams: Sequence[Team], switches: Switches | None = None) -> None:
        self.world = World(teams, switches or Switches())

    def handle(
        self, method: str, path: str, *, query: Query, headers: Mapping[str, str], body: bytes, now: float
    ) -> Reply:
        """The reply to one request. *path* is percent-decoded; *now* in Unix seconds. See :class:`Reply` for how to
        carry it out.
        """
        if path == "/" and method == "GET":
            return html_reply(page.render(self.world, now))
        if path.startswith("/_twin/"):
            return control.handle(self.world, method, path.removeprefix("/_twin/"), body, now)
        lowered = {name.lower(): value for name, value in headers.items()}
        by, path = _asked_by(path)
        ask = _address(method, path, query, lowered, body, by)
        if ask is None:
            return self._counted("unknown", None, error(404, "NOT_FOUND", f"{path} is no address"), now)
        seen = glance(ask.team or "", body) if ask.registers else _NOTHING
        size = len(seen.items) if ask.registers else None
        return self._counted(ask.endpoint, size, self._admitted(ask, seen, now), now)

    def _counted(self, endpoint: str, size: int | None, reply: Reply, now: float) -> Reply:
        if reply.then is not None:
            work = reply.then
            return replace(reply, then=lambda later: self._counted(endpoint, size, work(later), later))
        self.world.counters.replied(endpoint, "dropped" if reply.drop else str(reply.status), size, now)
        return reply

    def _admitted(self, ask: _Ask, seen: Glance, now: float) -> Reply:
        if ask.method != ask.method_due:
            return error(405, "METHOD_NOT_ALLOWED", f"{ask.method} is not for this address")
        team = self._team_of(ask)
        if isinstance(team, Reply):
            return team
        if wait := self.world.wait(team.key, now, registers=ask.registers):
            told = retry_after(self.world.switches.retry_after, wait, now)
            refused = error(429, "RATE_LIMITED", "too many requests in a minute")
            return replace(refused, headers={**refused.headers, **told})
        if ask.method == "POST" and "json" not in ask.headers.get("content-type", ""):
            return error(415, "UNSUPPORTED_MEDIA_TYPE", "what is posted is application/json")
        fault = self.world.faults.strike(Target(ask.endpoint, team.slug, seen.dataset, seen.names))
        if not ask.registers:
            return self._answered(fault, ask, team, now)
        self.world.counters.arrived(seen.items)
        return replace(self._answered(fault, ask, team, now), entry=journal.entry(ask.by, seen.items, now))

    def _answered(self, fault: Fault | None, ask: _Ask, team: Team, now: float) -> Reply:
        return self._work(ask, team, now) if fault is None else self._struck(fault, ask, team, now)

    def _team_of(self, ask: _Ask) -> Team | Reply:
        kind, _, key = ask.headers.get("authorization", "").partition(" ")
        owner = next((team for team in self.world.teams.values() if team.key == key), None)
        if kind != "ApiKey" or owner is None or owner.key_revoked:
            return error(401, "NOT_AUTHENTICATED", "the key is missing or not valid")
        if ask.team is not None and ask.team not in self.world.teams:
            return error(404, "NOT_FOUND", f"team {ask.team} does not exist")
        if ask.team not in (None, owner.slug) or owner.paused:
            return error(403, "FORBIDDEN", f"the key may not act for team {ask.team or owner.slug}")
        return owner

    def _work(
        self,
        ask: _Ask,
        team: Team,
        now: float,
        *,
        work: Work = "all",
        omit: str | None = None,
        told: bool = True,
    ) -> Reply:
        """Do what was asked. *told*: whether the reply reaches the client as it is."""
        match ask.endpoint:
            case "token_info":
                return listing.token_info(team)
            case "datasets":
                return listing.datasets(team)
            case "storage":
                return listing.storages(team)
            case "items":
                return listing.items(team, ask.query, processing=self.world.switches.items_processing)
            case "archive":
                return archiving.archive(team, ask.body, self.world.switches)
            case _:
                readonly = ask.endpoint == "register_existing_readonly"
                result = Registration(team, readonly, self.world.switches, work, omit).carry_out(
                    ask.body, now
                )
                self.world.counters.decided(result.decisions)
                if told:
                    self.world.counters.told(result.told)
                return result.reply

    def _struck(self, fault: Fault, ask: _Ask, team: Team, now: float) -> Reply:
        match fault.kind:
            case "slow":
                return Reply(0, delay=fault.seconds, then=lambda later: self._work(ask, team, later))
            case "slow-answer":
                return replace(self._work(ask, team, now), delay=fault.seconds)
            case "omit-items":
                return self._work(ask, team, now, omit=fault.item)
            case _:
                work = fault.worked
                done = None if work == "none" else self._work(ask, team, now, work=work, told=False)
                return _bad_answer(fault, done, now)


def _bad_answer(fault: Fault, done: Reply | None, now: float) -> Reply:
    match fault.kind:
        case "drop-answer-after-work" | "drop-before-work":
            return Reply(0, drop=True)
        case "html":
            return failure(200, "html")
        case "truncated-json":
            whole = _CUT_SHORT * 2 if done is None else done.body
            return Reply(200, {"Content-Type": "application/json"}, whole[: len(whole) // 2])
        case "429":
            reply = failure(429, fault.body)
            if fault.retry_after is None:
                return reply
            told = retry_after(fault.retry_after_form, fault.retry_after, now)
            return replace(reply, headers={**reply.headers, **told})
        case _:
            return failure(fault.status, fault.body)


def _asked_by(path: str) -> tuple[str, str]:
    """Who asks, and the address itself."""
    match path.split("/", 3):
        case ["", "as", by, rest]:
            return by, f"/{rest}"
        case _:
            return "", path


def _address(
    method: str, path: str, query: Query, headers: Mapping[str, str], body: bytes, by: str
) -> _Ask | None:
    match path.split("/"):
        case ["", "api", "users", "token_info" as endpoint] | ["", "api", "datasets" as endpoint]:
            return _Ask(endpoint, None, method, query, headers, body, by)
        case (
            ["", "api", "teams", team, "storage" as endpoint]
            | ["", "api", "v2", "teams", team, "items" as endpoint]
            | ["", "api", "v2", "teams", team, "items", "archive" as endpoint]
            | ["", "api", "v2", "teams", team, "items", "register_existing" as endpoint]
            | ["", "api", "v2", "teams", team, "items", "register_existing_readonly" as endpoint]
        ):
            return _Ask(endpoint, team, method, query, headers, body, by)
        case _:
            return None
