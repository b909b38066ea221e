"""Search the common reference: conditions by which facts, conflicts, changes and messages are found by a typed text.

Every condition is for rows that are already restricted to what the viewer may see.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from django.db.models import Q

from common.search import FieldCondition, by, number, words
from participants.admin_base.search import of_parties, once
from participants.scope import Scope
from registry.models import (
    Change,
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    Representation,
)
from registry.queries import addresses

MAX_NAMED = 10
"""At most this many connections, and congestion points, may match a text by which messages are searched for."""

MAX_CHANGES = 1_000
"""At most this many changes by which messages are searched for."""


def connections_in(scope: Scope) -> list[Q]:
    """Return the conditions that a connection is claimed, or was ever claimed, by a participant in scope."""
    if scope.everyone:
        return [Q()]
    represented = scope.restrict(Representation.objects.all(), "agr").values("connection")
    connected = scope.restrict(CongestionPointConnection.objects.all(), "dso").values("connection")
    return [Q(pk__in=represented), Q(pk__in=connected)]


def changes(text: str, named: Q) -> list[FieldCondition]:
    """Return the conditions of a change: its number, its message's MessageID or ConversationID, a word of its reason.

    Notices name a decision by the number of its change, so `decision 17` is the change with this number.

    Args:
        text: What was typed.
        named: The condition that the viewer may see the sender of the change's message. A change of one participant may
            come from the message of another, whose MessageID is not to be guessed.
    """
    return [
        *by("number", *number(text, "change", "decision")),
        *by("MessageID", Q(message__message_id__startswith=text.lower()) & named),
        *by("ConversationID", Q(message__conversation_id__startswith=text) & named),
        *by("reason or file name", with_words(text)),
    ]


def with_words(text: str) -> Q:
    """Return the condition that a change has words in its reason, or in the name of its file."""
    return words("reason", text) & ~Q(reason="")


def conflicts(text: str, seen: Scope) -> list[FieldCondition]:
    """Return the conditions of a conflict: its number, connection, point or party, or a word of its reason."""
    named = Change.objects.filter(with_words(text)).values("pk")
    points = _points(text, seen)
    behind = CongestionPointConnection.objects.current().filter(congestion_point__in=points)
    return [
        *by("number", *number(text, "conflict")),
        *by("connection", *addresses.similar("connection__address", text)),
        *of_parties(text, seen, "holder", "claimant", others=True),
        *by("congestion point", *([Q(connection__in=behind.values("connection"))] if points else [])),
        *by("reason", Q(closed_by__in=named) & ~Q(decision="")),
    ]


def messages(text: str, seen: Scope) -> list[FieldCondition]:
    """Return the condition that a message made a fact or a conflict of the connection or the point that a text names.

    A text that names many of them finds no message in this way.
    """
    found = _messages_about(text, seen)
    return by("what it changed", Q(pk__in=found)) if found else []


def answers(text: str, seen: Scope) -> list[FieldCondition]:
    """Return the conditions that a message answers, or passes on, one that `messages` finds."""
    found = _messages_about(text, seen)
    if not found:
        return []
    return [
        *by("what the message that it answers changed", Q(in_reply_to__in=found)),
        *by("what the message that it passes on changed", Q(passes_on__in=found)),
    ]


def _messages_about(text: str, seen: Scope) -> list[int]:
    return once(("messages", text, seen), lambda: _find_messages_about(text, seen))


def _find_messages_about(text: str, seen: Scope) -> list[int]:
    made = Change.objects.filter(pk__in=_changes_about(text, seen)).exclude(message=None)
    return list(made.values_list("message_id", flat=True))


def _changes_about(text: str, seen: Scope) -> list[int]:
    """Return the changes that recorded or superseded what the viewer sees of the connections and points named."""
    connections = _named(text, seen)
    points = _points(text, seen)
    represented = Representation.objects.filter(connection__in=connections)
    connected = CongestionPointConnection.objects.filter(connection__in=connections)
    terms = CongestionPointTerms.objects.filter(congestion_point__in=points)
    contested = Conflict.objects.filter(connection__in=connections)
    facts = (
        (seen.restrict(represented, "agr"), "recorded_by", "superseded_by"),
        (seen.restrict(connected, "dso"), "recorded_by", "superseded_by"),
        (seen.restrict(terms, "congestion_point__dso"), "recorded_by", "superseded_by"),
        (seen.restrict(contested, "holder", "claimant"), "opened_by", "closed_by"),
    )
    if not connections and not points:
        return []
    pairs: Iterable[tuple[int, int | None]] = chain.from_iterable(
        rows.order_by("-pk").values_list(f"{first}_id", f"{last}_id")[:MAX_CHANGES]
        for rows, first, last in facts
    )
    return sorted({key for pair in pairs for key in pair if key is not None}, reverse=True)[:MAX_CHANGES]


def _named(text: str, seen: Scope) -> list[int]:
    """Return the connections in scope that a text names; none where it fits more than MAX_NAMED."""
    found: dict[int, None] = {}
    for scope in connections_in(seen):
        rows, more = addresses.find(Connection.objects.filter(scope), text, MAX_NAMED)
        if more:
            return []
        found |= dict.fromkeys(row.pk for row in rows)
    return list(found)[:MAX_NAMED]


def _points(text: str, seen: Scope) -> list[int]:
    """Return the congestion points in scope that a text names; none where it fits more than MAX_NAMED."""
    return once(("points", text, seen), lambda: _find_points(text, seen))


def _find_points(text: str, seen: Scope) -> list[int]:
    rows, more = addresses.find(seen.restrict(CongestionPoint.objects.all(), "dso"), text, MAX_NAMED)
    return [] if more else [row.pk for row in rows]
