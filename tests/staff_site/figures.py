"""How long the console's pages take with a country's data: the median server time and the queries of each.

Run by hand, from the project's folder: `python -m tests.staff_site.figures`. It fills a database of its own beside the
one of `DATABASE_URL` (a few minutes; `--keep` leaves it there and uses it again), asks for every list with each of its
filters and searches, every detail page and every page of the console's own, and ends with an error where a median is
over the limit. Times are of the whole request within the process, without the network.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import django
from psycopg import sql

LIMIT = 0.2  # seconds
PATIENCE = 5.0  # seconds after which a statement is cut off, and stands in the table with this time
DATABASE = "cro_console_figures"

TODAY = date.today()  # noqa: DTZ011 - the data is relative to the database's own day
SAMPLES = {
    "domain": "agr-6.example",
    "point": "ean.871500000000000179",
    "connection": "ean.871600000000007771",
    "congestion_point": "ean.871500000000000179",
    "dso": "dso-4.example",
    "agr": "agr-6.example",
    "contract": "FLEX-17",
    "participant": "agr-6.example",
    "type": "AGRPortfolioUpdate",
    "actor": "kim",
    "action": "settle conflict",
    "subject": "conflict 17",
    "from": str(TODAY - timedelta(days=7)),
    "to": str(TODAY),
}
"""What is typed into a filter, by the end of its parameter's name."""


SEARCHED = (
    "871600000000000777",
    "EAN.8716",
    "777",
    "000777",
    "agr-6.example",
    "dso-4",
    "FLEX-17",
    "00000000",
    "17",
    "ends before",
    "nothing-at-all",
)
"""What is typed into the search box of every page."""


@dataclass(frozen=True)
class Figure:
    page: str
    seconds: float
    queries: int


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the database there, and use the one left")
    parser.add_argument("--only", default="", help="pages whose address contains this")
    parser.add_argument("--small", action="store_true", help="a hundredth of the data, to try the script")
    parser.add_argument("--times", type=int, default=5, help="requests for each page (default 5)")
    chosen = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from tests.staff_site.country import Size, fill

    size = Size(10_000, 100, 2_000, 1_000, 20) if chosen.small else Size()
    with_database(f"{DATABASE}_small" if chosen.small else DATABASE, chosen.keep, lambda: fill(size))
    cut_off_after(PATIENCE)
    figures = [measured(page, chosen.times) for page in pages(chosen.only) if chosen.only in page]
    figures.sort(key=lambda figure: -figure.seconds)
    for figure in figures:
        print(f"{figure.seconds * 1000:8.0f} ms {figure.queries:4} queries  {figure.page}")
    slow = [figure.page for figure in figures if figure.seconds > LIMIT]
    print(f"{len(figures)} pages, {len(slow)} over {LIMIT * 1000:.0f} ms")
    if not chosen.keep:
        drop()
    return bool(slow)


def with_database(name: str, keep: bool, fill: Callable[[], None]) -> None:
    """Connect this process to the database of the figures, filled by `fill` unless it was kept."""
    from django.core.management import call_command
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        there = bool(cursor.rowcount)
        if there and not keep:
            cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        if not there or not keep:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    connection.close()
    connection.settings_dict["NAME"] = name
    call_command("migrate", verbosity=0)
    if there and keep:
        return
    started = time.monotonic()
    fill()
    print(f"filled in {time.monotonic() - started:.0f} s", flush=True)


def cut_off_after(seconds: float) -> None:
    """Have every statement of this process end after so long."""
    from django.db import connection

    connection.close()
    connection.settings_dict["OPTIONS"] = {"options": f"-c statement_timeout={seconds:.0f}s"}


def drop() -> None:
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = "postgres"
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


_clients: dict[str, Any] = {}


def client(name: str = "operator", acts_for: Sequence[int] = (6, 8)) -> Any:
    """A logged-in browser: an operator who may see everything, or one `limited` to those whom they act for."""
    from django.contrib.auth.models import Group, User
    from django.test import Client
    from guardian.shortcuts import assign_perm

    from participants.models import Participant

    if name not in _clients:
        user, created = User.objects.get_or_create(username=f"figures-{name}", is_staff=True)
        if created:
            group = "CRO operator" if name == "operator" else "CRO participant manager"
            user.groups.set([Group.objects.get(name=group)])
            for participant in Participant.objects.filter(pk__in=acts_for) if name == "limited" else ():
                assign_perm("participants.change_participant", user, participant)
        _clients[name] = Client()
        _clients[name].force_login(user)
    return _clients[name]


def pages(only: str) -> Iterator[str]:
    """`operator /admin/…`: every page that is measured, with who asks for it.

    Tables below which there is no page with the beginning `only` are left out: finding their pages takes long.
    """
    from django.contrib import admin

    for who in ("operator", "limited"):
        yield f"{who} /admin/"
        yield from (f"{who} /admin/search/?q={quote(text)}" for text in SEARCHED)
        for model, model_admin in admin.site._registry.items():
            base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            if only.startswith("/") and not (only in base or only.startswith(base)):
                continue
            text = text_of(who, base)
            yield f"{who} {base}"
            if not text:
                continue
            for query in queries_of(who, base):
                yield f"{who} {base}{query}"
            if model_admin.search_fields:
                for term in search_terms(model):
                    yield f"{who} {base}?q={quote(term)}"
            for pk in rows_of(who, model, model_admin):
                yield f"{who} {base}{pk}/change/"
                yield from (f"{who} {page}" for page in own_pages(who, f"{base}{pk}/change/"))


def text_of(who: str, address: str) -> str:
    """What a page says; nothing where it is not this member of staff's, or takes too long."""
    from django.core.cache import cache
    from django.db import OperationalError, connection

    kept: str | None = cache.get(f"{who} {address}")
    if kept is None:
        try:
            response = client(who).get(address)
            kept = response.content.decode() if response.status_code == 200 else ""
        except OperationalError:
            connection.close()
            kept = ""
        cache.set(f"{who} {address}", kept)
    return kept


def queries_of(who: str, base: str) -> list[str]:
    """The filters that a list offers, each alone, and its pages: the second and the last."""
    text = text_of(who, base)
    beside = text.partition('id="changelist-filter"')[2]
    found = dict.fromkeys(html.unescape(link) for link in re.findall(r'href="(\?[^"]+)"', beside))
    names = dict.fromkeys(re.findall(r'<input type="(?:text|date|search)" name="([^"]+)"', beside))
    for name in names:
        sample = SAMPLES.get(name.rpartition("_")[2], SAMPLES.get(name))
        if sample is None:
            sys.exit(f"{base}: nothing to type into the filter {name!r}; give SAMPLES a value for it")
        found[f"?{name}={quote(sample)}"] = None
    found |= {"?p=2": None} if "?p=2" in text else {}
    last = re.findall(r"\?p=(\d+)", text)
    found |= {f"?p={max(map(int, last))}": None} if last else {}
    return [query for query in found if query != "?"]


def search_terms(model: Any) -> list[str]:
    """An address that there is, the beginning of many, and nothing that there is."""
    return [
        "ean.871600000000007771",
        "ean.8716000000000",
        "agr-6",
        "00000000000000000000000000000fff",
        "none",
    ]


def rows_of(who: str, model: Any, model_admin: Any) -> list[Any]:
    """The first and the last row of a list's first page."""
    base = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    text = text_of(who, base)
    found = re.findall(rf'href="{base}([^/"]+)/change/', text)
    return list(dict.fromkeys([*found[:1], *found[-1:]]))


def own_pages(who: str, page: str) -> list[str]:
    """The pages below a row's page that it links to: what to adjust, to settle, to rotate."""
    text = text_of(who, page)
    base = page.removesuffix("change/")
    found = re.findall(rf'href="({re.escape(base)}[^"]+)"', text)
    return [html.unescape(link) for link in dict.fromkeys(found) if not link.startswith(page)]


def measured(page: str, times: int) -> Figure:
    """The median of as many requests for `page`, after one that warms the caches."""
    from django.db import OperationalError, connection

    who, _, address = page.partition(" ")
    try:
        return timed(who, address, times)
    except OperationalError:
        connection.close()
        return Figure(page, PATIENCE, 0)


def timed(who: str, address: str, often: int) -> Figure:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        response = client(who).get(address)
    queries = len(captured)
    if response.status_code not in (200, 302, 403):
        sys.exit(f"{who} {address}: {response.status_code}")
    times: list[float] = []
    while len(times) < often and sum(times) < 5:
        started = time.perf_counter()
        response = client(who).get(address)
        if response.streaming:
            next(iter(response.streaming_content))
        times.append(time.perf_counter() - started)
    return Figure(f"{who} {address}", statistics.median(times), queries)


if __name__ == "__main__":
    sys.exit(main())
