"""One registration request: from its body to Darwin's answer (darwin-api.md sections 1 and 2)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from worker.demo.twin import schema
from worker.demo.twin.counters import Print
from worker.demo.twin.faults import Work
from worker.demo.twin.replies import Reply, error, json_reply, unprocessable
from worker.demo.twin.state import Dataset, Decision, SentFile, SentItem, Storage, Team, normalised
from worker.demo.twin.switches import Switches

_REASON_OF_INVALID = "INVALID_REQUEST"


@dataclass(frozen=True, slots=True)
class Glance:
    """What can be told of a body without judging it: for faults and counters."""

    dataset: str
    names: tuple[str, ...]
    items: tuple[tuple[Print, ...], ...]


def glance(team: str, body: bytes) -> Glance:
    raw = schema.parsed(body)
    if not isinstance(raw, dict) or not isinstance(raw.get("items"), list):
        return Glance("", (), ())
    dataset = str(raw.get("dataset_slug"))
    items = [item for item in raw["items"] if isinstance(item, dict)]
    prints = []
    for item in items:
        slots = item.get("slots", [item])
        place = (team, dataset, normalised(str(item.get("path", "/"))), str(item.get("name")))
        files = [slot for slot in slots if isinstance(slot, dict)] if isinstance(slots, list) else []
        prints.append(
            tuple(
                Print(*place, str(file.get("slot_name", "0")), str(file.get("storage_key"))) for file in files
            )
        )
    return Glance(dataset, tuple(str(item.get("name")) for item in items), tuple(prints))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request: the answer, a decision for each valid item, the files told to be registered."""

    reply: Reply
    decisions: Sequence[Decision] = ()
    told: Sequence[Print] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """How one request is carried out. *work*: how much of the batch is registered; *omit*: a regular expression of
    the names that the answer leaves out.
    """

    team: Team
    readonly: bool
    switches: Switches
    work: Work = "all"
    omit: str | None = None

    def carry_out(self, body: bytes, now: float) -> Result:
        rules = schema.Rules(self.readonly, refuse_unknown=self.switches.unknown_fields == "refuse")
        raw = schema.parsed(body)
        if raw is None:
            return Result(error(400, "BAD_REQUEST", "the body is no JSON"))
        try:
            envelope = schema.read_envelope(raw, rules)
        except schema.Invalid as invalid:
            return Result(unprocessable(invalid.errors))
        if len(envelope.items) > self.switches.max_items:
            return Result(self._too_many(len(envelope.items)))
        dataset = self.team.dataset(envelope.dataset_slug)
        storage = self.team.storage(envelope.storage_slug)
        if dataset is None:
            return Result(error(404, "NOT_FOUND", f"dataset {envelope.dataset_slug} does not exist"))
        if storage is None:
            return Result(error(404, "NOT_FOUND", f"storage {envelope.storage_slug} does not exist"))
        if wrong := self._wrong_endpoint(storage, envelope.items):
            return Result(unprocessable({"storage_slug": [wrong]}))
        items, errors = _read_items(envelope.items, rules)
        if any(errors) and self.switches.invalid_items == "refuse-batch":
            return Result(unprocessable({"items": errors}))
        return self._register(dataset, items, _blocked_as_invalid(envelope.items, errors), now)

    def _register(
        self, dataset: Dataset, items: Sequence[SentItem], invalid: list[dict[str, object]], now: float
    ) -> Result:
        room = self.team.room()
        if self.switches.plan_full_as == "429" and room is not None and self.team.adds(dataset, items) > room:
            return Result(json_reply({"errors": {"code": "INSUFFICIENT_REMAINING_STORAGE"}}, 429))
        if self.work == "half":
            items = items[: (len(items) + 1) // 2]
        decisions = self.team.register(dataset, items, now)
        told = [one for one in decisions if self.omit is None or not re.search(self.omit, one.item.name)]
        accepted = [one for one in told if not one.reasons]
        blocked = [one for one in told if one.reasons]
        answer = {
            "items": [self._echo(one) for one in accepted],
            "blocked_items": [self._echo(one) for one in blocked] + invalid,
        }
        files = [print_ for one in accepted for print_ in _prints(self.team.slug, dataset.slug, one.item)]
        return Result(json_reply(answer), decisions, files)

    def _too_many(self, count: int) -> Reply:
        detail = f"should have at most {self.switches.max_items} item(s), has {count}"
        if self.switches.too_many == 413:  # noqa: PLR2004  # the status, by its number
            return error(413, "REQUEST_TOO_LARGE", detail)
        return unprocessable({"items": [detail]})

    def _wrong_endpoint(self, storage: Storage, items: Sequence[object]) -> str | None:
        if storage.readonly and not self.readonly:
            return "is read-only: use register_existing_readonly"
        if (
            self.readonly
            and not storage.readonly
            and not all(schema.is_processed_video(item) for item in items)
        ):
            return "is not read-only: use register_existing"
        return None

    def _echo(self, decision: Decision) -> dict[str, object]:
        item = decision.item
        path = normalised(item.path)
        if self.switches.echo_path == "bare":
            path = path.lstrip("/")
        elif self.switches.echo_path == "as-sent":
            path = item.path
        slots = [self._echo_slot(file, decision) for file in item.files]
        return {"id": decision.id, "name": item.name, "path": path, "slots": slots}

    def _echo_slot(self, file: SentFile, decision: Decision) -> dict[str, object]:
        slot: dict[str, object] = {
            "slot_name": file.slot_name,
            "file_name": file.file_name,
            "type": file.type,
            "as_frames": file.as_frames,
            "extract_views": file.extract_views,
        }
        if decision.reasons and self.switches.reason_case != "missing":
            reason = decision.reasons.get(file.slot_name)
            lower = reason is not None and self.switches.reason_case == "lower"
            slot["reason"] = reason.lower() if reason is not None and lower else reason
        return slot


def _read_items(raw: Sequence[object], rules: schema.Rules) -> tuple[list[SentItem], list[schema.Errors]]:
    """The valid items, and for every item its errors: none for a valid one."""
    items: list[SentItem] = []
    errors: list[schema.Errors] = []
    for one in raw:
        try:
            items.append(schema.read_item(one, rules))
            errors.append({})
        except schema.Invalid as invalid:
            errors.append(invalid.errors)
    return items, errors


def _prints(team: str, dataset: str, item: SentItem) -> list[Print]:
    path = normalised(item.path)
    return [Print(team, dataset, path, item.name, file.slot_name, file.storage_key) for file in item.files]


def _blocked_as_invalid(raw: Sequence[object], errors: Sequence[schema.Errors]) -> list[dict[str, object]]:
    return [
        {
            "id": None,
            "name": item.get("name") if isinstance(item, dict) else None,
            "path": item.get("path", "/") if isinstance(item, dict) else None,
            "slots": [{"slot_name": "0", "reason": _REASON_OF_INVALID}],
        }
        for item, wrong in zip(raw, errors, strict=True)
        if wrong
    ]
