"""Archiving items by their ids (darwin-api.md section 6.2)."""

from worker.demo.twin import schema
from worker.demo.twin.replies import Reply, error, json_reply, unprocessable
from worker.demo.twin.state import Team
from worker.demo.twin.switches import Switches


def archive(team: Team, body: bytes, switches: Switches) -> Reply:
    raw = schema.parsed(body)
    if raw is None:
        return error(400, "BAD_REQUEST", "the body is no JSON")
    rules = schema.Rules(readonly=False, refuse_unknown=switches.unknown_fields == "refuse")
    try:
        filters = schema.read_filters(raw, rules)
    except schema.Invalid as invalid:
        return unprocessable(invalid.errors)
    frees = switches.archived_names == "free"
    count = team.archive(filters.dataset_ids, filters.item_ids, frees=frees)
    return json_reply({"affected_item_count": count})
