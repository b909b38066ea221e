"""What the search box of every page finds, as apps register it, and rows searched for by their participants."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Model, Q

from common.search import FieldCondition
from participants.models import Participant
from participants.scope import Scope

T = TypeVar("T")

MAX_PARTIES = 100
"""At most this many participants may match a text by which other rows are searched for."""

SHORTEST_PART = 2
"""A shorter part of a domain or a name is one of nearly all."""

Conditions = Callable[[str, Scope], Iterable[FieldCondition]]
"""Return the conditions that rows may meet to match a text, for a viewer with a scope. An index serves each one."""


_shared: ContextVar[dict[Hashable, Any] | None] = ContextVar("shared", default=None)


@contextmanager
def shared_lookups() -> Iterator[None]:
    """Look up once, inside the outermost `with` block, what several searches need: participants, messages."""
    token = _shared.set({} if _shared.get() is None else _shared.get())
    try:
        yield
    finally:
        _shared.reset(token)


def once(key: Hashable, look_up: Callable[[], T]) -> T:
    """Return what `look_up` returns, which is kept inside `shared_lookups`."""
    kept = _shared.get()
    if kept is None:
        return look_up()
    if key not in kept:
        kept[key] = look_up()
    found: T = kept[key]
    return found


@dataclass(frozen=True, slots=True)
class Finder:
    """A table that the search box of every page searches, as the list of the table does.

    Attributes:
        place: Its place among the results; the lowest comes first.
        model: The table. The search, the scope and the permission are those of its list.
        describe: Return the text of the link to a row, and what is said beside it.
        query: Parameters of the list that has all rows found, besides the text.
    """

    place: int
    model: type[Model]
    describe: Callable[[Any], tuple[str, str]]
    query: Mapping[str, str] = field(default_factory=dict)


def parties(text: str, seen: Scope, *, others: bool = False) -> list[int]:
    """Return the participants that a text names by their domain or a part of it, or by a part of their name.

    Args:
        text: What was typed.
        seen: The participants that the viewer may see.
        others: Whether others are found as well, by their domain: for rows of two parties, which name both to each.
    """
    return once(("parties", text, seen, others), lambda: _parties(text, seen, others=others))


def _parties(text: str, seen: Scope, *, others: bool) -> list[int]:
    part = text.lower()
    role, _, domain = part.partition(" ")
    by_domain, by_name = Q(role__iexact=role, domain=domain), Q()
    if len(part) >= SHORTEST_PART:
        by_domain, by_name = by_domain | Q(domain__contains=part), Q(name__icontains=text)
    found = seen.restrict(Participant.objects.filter(by_domain | by_name if by_name else by_domain), "pk")
    if others and not seen.everyone:
        found = found | Participant.objects.filter(by_domain)
    return list(found.order_by("pk").values_list("pk", flat=True)[:MAX_PARTIES])


def of_parties(text: str, seen: Scope, *paths: str, others: bool = False) -> list[FieldCondition]:
    """Return the conditions that one of `paths` leads to a participant that `parties` finds."""
    found = parties(text, seen, others=others)
    return [FieldCondition(_party(path), Q(**{f"{path}__in": found})) for path in paths] if found else []


def _party(path: str) -> str:
    name = path.rpartition("__")[2]
    return name.upper() if name in ("agr", "dso") else name
