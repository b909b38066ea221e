"""Page through tables of any size: count rows up to a bound, and a whole table by PostgreSQL's estimate."""

from functools import cached_property
from typing import Any

from django.core.paginator import Page, Paginator
from django.db import connections
from django.db.models import QuerySet

MAX_COUNT = 10_000


class CappedCount(int):
    """A count of rows that may be an estimate or a lower bound. Its text says so."""

    words: str

    def __new__(cls, number: int, words: str) -> "CappedCount":
        rough = super().__new__(cls, number)
        rough.words = f"{words} {number:,}"
        return rough

    def __str__(self) -> str:
        return self.words


class CappedPaginator(Paginator[Any]):
    """Page through the first MAX_COUNT rows of a queryset. Users search or filter to find the others.

    `count` is exact up to MAX_COUNT. For more rows it is MAX_COUNT, or PostgreSQL's estimate for a whole table. No
    statement reads more than MAX_COUNT + 1 of the matching rows. `found_more` says that more rows match than the
    queryset has.
    """

    object_list: QuerySet[Any]

    def __init__(self, *args: Any, found_more: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found_more = found_more

    def page(self, number: int | str) -> Page[Any]:
        """Return the rows of one page. A late page reads the keys first, which needs no join."""
        page = super().page(number)
        reads_keys_first = page.number > 1 or int(self.count) >= MAX_COUNT
        if reads_keys_first and not self.object_list.query.combinator:
            first = page.start_index() - 1
            keys = list(self.object_list.values_list("pk", flat=True)[first : first + self.per_page])
            page.object_list = self.object_list.filter(pk__in=keys)[: self.per_page]
        return page

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if not rows.query.where and not rows.query.combinator:
            estimate = self._estimate(rows)
            if estimate > MAX_COUNT:
                return CappedCount(estimate, "about")
        counted = rows.order_by()[: MAX_COUNT + 1].count()
        if self.found_more:
            return CappedCount(counted, "more than")
        return CappedCount(MAX_COUNT, "more than") if counted > MAX_COUNT else counted

    @cached_property
    def num_pages(self) -> int:
        if self.count == 0 and not self.allow_empty_first_page:
            return 0
        return max(1, -(-min(int(self.count), MAX_COUNT) // self.per_page))

    @staticmethod
    def _estimate(rows: QuerySet[Any]) -> int:
        """Return how many rows the table had when it was last analysed; -1 if it never was."""
        with connections[rows.db].cursor() as cursor:
            cursor.execute(
                "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(quote_ident(%s))",
                [rows.model._meta.db_table],
            )
            found = cursor.fetchone()
        return int(found[0]) if found else -1
