"""What the search box of every page finds in the common reference."""

from __future__ import annotations

from participants.admin_base.html import moment
from participants.admin_base.search import Finder
from registry import periods
from registry.models import Change, Conflict, CongestionPoint, Connection
from registry.queries import reference_search
from registry.queries.change_sources import source_name
from uftp.models import InboundMessage, OutboundMessage


def _connection(row: Connection) -> tuple[str, str]:
    agrs = (claim.agr.domain for claim in getattr(row, "active", []))
    points = (f"in {claim.congestion_point.address}" for claim in getattr(row, "inside", []))
    return row.address, ", ".join([*agrs, *points])


def _point(row: CongestionPoint) -> tuple[str, str]:
    return row.address, row.dso.domain


def _conflict(row: Conflict) -> tuple[str, str]:
    state = "open" if row.closed_by_id is None else row.get_decision_display() or "closed without a decision"
    if later := getattr(row, "replacements", []):
        state += f", replaced by {' and '.join(str(each) for each in later)}"
    parties = f"{row.claimant.domain} against {row.holder.domain}"
    return f"Conflict {row.pk}", f"{row.connection}: {parties}, {periods.in_words(row.period)}; {state}"


def _change(row: Change) -> tuple[str, str]:
    named = getattr(row, "sender_is_seen", False) or row.message is None
    by = source_name(row) if named else "another participant's message"
    return f"Change {row.pk}", f"{moment(row.moment)}, {by}"


FINDERS = (
    Finder(1, Connection, _connection),
    Finder(2, CongestionPoint, _point),
    Finder(5, Conflict, _conflict, {"state": "all"}),
    Finder(9, Change, _change),
)

SEARCHES = {
    InboundMessage: (reference_search.messages,),
    OutboundMessage: (reference_search.answers,),
}
