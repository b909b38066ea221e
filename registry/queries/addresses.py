"""Find connections and congestion points by their entity address as people write it.

An EAN is written with or without `ean.`, in any case, with spaces, from its beginning or by its end. Dots may stand
for the rest: `ean.8716…`. An index serves each of these ways (`registry.models.addresses`).
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

from django.db.models import F, Lookup, Model, Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import EndsWith, Exact, In, StartsWith

from common.search import matching
from participants.admin_base.search import once
from registry.models import CongestionPoint, Connection
from registry.models.addresses import INDEXED_END, has_capitals, indexed_end, local_part

M = TypeVar("M", bound=Model)

SHORTEST_END = 3
"""A shorter end is one of very many addresses, and is not searched for. One without digits has INDEXED_END or more."""

_EAN = re.compile(r"(?:ean[.:\s]*)?([0-9][0-9\s]*)", re.IGNORECASE)
_THE_REST = re.compile(r"^\s*(?:…|\.\.\.)|(?:…|\.\.\.)\s*$")


def _typed(text: str) -> str:
    """Return a typed text without the dots that stand for the rest of an address, and without blanks around it."""
    return _THE_REST.sub("", text).strip()


def spellings(text: str) -> list[str]:
    """Return the addresses, or beginnings of addresses, that a typed text may mean, the text itself first."""
    typed = _typed(text)
    found = [typed, typed.lower()]
    if ean := _EAN.fullmatch(typed):
        found.append(f"ean.{''.join(ean[1].split())}")
    return list(dict.fromkeys(each for each in found if each))


def whole(path: str, text: str, of: type[Model] = Connection) -> list[Q]:
    """Return the conditions that the address at `path`, of a row of `of`, is the typed one; the exact one first."""
    meant = spellings(text)
    if not meant:
        return []
    exact = [Q(**{path: each}) for each in meant]
    return [*exact, *_with_capitals(path, of, Exact(Lower(F(path)), meant[-1]))]


def similar(path: str, text: str, of: type[Model] = Connection) -> list[Q]:
    """Return the conditions that the address at `path` begins or ends with the typed text, whole ones first."""
    meant = spellings(text)
    if not meant:
        return []
    begins = [Q(**{f"{path}__startswith": each}) for each in meant]
    capitals = _with_capitals(path, of, StartsWith(Lower(F(path)), meant[-1]))
    return [*whole(path, text, of), *begins, *capitals, *_ends(path, text)]


def similar_points(path: str, text: str) -> list[Q]:
    """Return the same conditions for a congestion point, and that its name after the colon begins with the text."""
    found = similar(path, text, CongestionPoint)
    return [*found, Q(StartsWith(local_part(path), _typed(text).lower()))] if found else []


def find(rows: QuerySet[M], text: str, limit: int) -> tuple[list[M], bool]:
    """Return the rows whose address is the typed one; if there is none, those that begin or end with it.

    Args:
        rows: Connections or congestion points.
        text: What was typed.
        limit: How many rows are returned at most.

    Returns:
        The rows in the order of their addresses, and whether there are more.
    """
    of = rows.model
    parts = similar_points("address", text) if of is CongestionPoint else similar("address", text)
    for conditions in (whole("address", text, of), parts):
        keys, more = matching(rows, conditions, limit)
        if keys:
            return list(rows.filter(pk__in=keys).order_by("address")), more
    return [], False


def _with_capitals(path: str, of: type[Model], condition: Lookup[Any]) -> list[Q]:
    """Return the condition for addresses with capitals, whose index has them in lower case; none if there are none.

    Of an index without entries PostgreSQL knows nothing, and takes it for a large one.
    """
    some = of._default_manager.filter(has_capitals()).order_by(Lower("address")).values("pk")[:1]
    there = once(("capitals", of), lambda: bool(some))
    return [Q(condition) & has_capitals(path)] if there else []


def _ends(path: str, text: str) -> list[Q]:
    """Return the condition that an address ends with the typed text; none if that is too short."""
    typed = _typed(text)
    end = spellings(text)[-1].removeprefix("ean.") if _EAN.fullmatch(typed) else typed
    missing = INDEXED_END - len(end)
    if missing <= 0:
        last = end[-INDEXED_END:]
        same = In(indexed_end(path), sorted({last, last.lower(), last.upper()}))
        return [Q(same) & Q(EndsWith(Lower(F(path)), end.lower()))]
    if len(end) < SHORTEST_END or not end.isdigit():
        return []
    return [Q(In(indexed_end(path), [f"{before:0{missing}}{end}" for before in range(10**missing)]))]
