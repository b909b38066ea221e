"""Search: conditions that compare a typed text with columns, and the rows that meet them, by index."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

from django.contrib.postgres.search import SearchQuery, SearchVector, SearchVectorExact
from django.core.exceptions import ValidationError
from django.db.models import F, IntegerField, Q, QuerySet, Value
from django.db.models.functions import Lower
from django.db.models.lookups import StartsWith

CONFIG = "simple"
"""PostgreSQL's text search configuration that takes words as they are, in any language."""

LONGEST_WORDS = 200
"""Characters. PostgreSQL has no words of more than 2,046 bytes."""

LONGEST_NUMBER = 18
"""Digits; a longer one does not fit into a column of numbers."""


class FieldCondition(NamedTuple):
    """A condition that finds rows, and the field that it compares, in words for staff."""

    field: str
    condition: Q


def by(field: str, *conditions: Q) -> list[FieldCondition]:
    """Return conditions that compare one field."""
    return [FieldCondition(field, condition) for condition in conditions]


_NUMBER = re.compile(r"(?:([a-z]+) )?#?([0-9]+)", re.IGNORECASE)


def number(text: str, *names: str) -> list[Q]:
    """Return the condition that a row has the number `text`; none if it is not a number of such a row.

    Args:
        text: What was typed: `17`, `#17`, or a name and the number, such as `conflict 17`.
        names: What such a row is called, in lower case.
    """
    typed = _NUMBER.fullmatch(text)
    if typed is None or len(typed[2]) > LONGEST_NUMBER or (typed[1] and typed[1].lower() not in names):
        return []
    return [Q(pk=int(typed[2]))]


def begins(path: str, text: str) -> Q:
    """Return the condition that a column begins with `text` in any case. Its index has the column in lower case."""
    return Q(StartsWith(Lower(F(path)), text.lower()))


def word_vector(path: str) -> SearchVector:
    """Return the words of a text column, as an index holds them."""
    return SearchVector(path, config=CONFIG)


def words(path: str, text: str) -> Q:
    """Return the condition that a column has `text` as words in a row; the last one may be incomplete."""
    if len(text) > LONGEST_WORDS:
        return Q(pk__in=[])
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    query = SearchQuery(f"'{quoted}':*", config=CONFIG, search_type="raw")
    return Q(SearchVectorExact(word_vector(path), query))


def matching(rows: QuerySet[Any], conditions: Iterable[Q], limit: int) -> tuple[list[Any], bool]:
    """Return the keys that `matching_by` returns, for conditions whose fields do not matter."""
    found, more = matching_by(rows, by("", *conditions), limit)
    return list(found), more


def matching_by(
    rows: QuerySet[Any], conditions: Iterable[FieldCondition], limit: int, *, newest_first: bool = False
) -> tuple[dict[Any, str], bool]:
    """Return the keys of rows that meet one of `conditions`, each with its field, and whether there are more.

    Rows that meet an earlier condition come first. A row that meets several has the field of the first one.

    Each condition is a statement of its own in one UNION, so that each has its index, and reads `limit` + 1 rows at
    most. One that a column cannot be compared with gives no rows.

    Args:
        rows: The rows to search, already restricted to what the viewer may see.
        conditions: What a row must meet, one of them.
        limit: How many keys are returned at most.
        newest_first: Whether those of one condition are ordered by their keys, which are numbers, the highest first.
    """
    branches: list[QuerySet[Any, Any]] = []
    plain = rows.order_by().select_related(None).prefetch_related(None)
    fields: list[str] = []
    for field, condition in conditions:
        with suppress(ValueError, ValidationError):
            ranked = plain.filter(condition).annotate(search_branch=Value(len(fields), IntegerField()))
            branches.append(ranked.values_list("pk", "search_branch")[: limit + 1])
            fields.append(field)
    if not branches:
        return {}, False
    found = branches[0].union(*branches[1:], all=True) if len(branches) > 1 else branches[0]
    places: dict[Any, int] = {}
    for key, place in sorted(found, key=lambda each: (each[1], -each[0] if newest_first else 0)):
        places.setdefault(key, place)
    return {key: fields[place] for key, place in list(places.items())[:limit]}, len(places) > limit
