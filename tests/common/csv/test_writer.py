"""CSV of lists: a value in each column, for whom it is shown, however much it is."""

import csv
import re
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.http import StreamingHttpResponse
from django.test import Client
from django.utils.html import format_html
from django.utils.timezone import override
from guardian.shortcuts import assign_perm

from common.csv.writer import cell_text, csv_response
from common.display import PLACEHOLDER
from participants import audit
from participants.admin_base.html import one_per_line
from participants.admin_base.paginator import MAX_COUNT
from participants.models import Participant

EXPORT = "/admin/participants/auditentry/export/"

Rows = list[dict[str, str]]


def read(response: object) -> Rows:
    """The rows of a CSV file as dicts by heading."""
    assert isinstance(response, StreamingHttpResponse), response
    return list(csv.DictReader(StringIO(b"".join(response).decode())))  # type: ignore[arg-type]


@pytest.fixture
def many(db: None) -> Callable[[int], None]:
    """Write that many audit entries, every other about `odd`."""

    def write(number: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO participants_auditentry (actor, action, subject, reason, participants)"
                " SELECT 'kim', 'did', CASE WHEN n %% 2 = 0 THEN 'even ' ELSE 'odd ' END || n, '', '{}'"
                " FROM generate_series(1, %s) AS n",
                [number],
            )

    return write


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("plain", "plain"),
        (PLACEHOLDER, ""),
        (None, ""),
        ("", ""),
        (17, "17"),
        (-17, "-17"),
        ("-17.5", "-17.5"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, 0, 5, 17, tzinfo=UTC), "2026-03-01T13:00:05+01:00"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T14:00:00+02:00"),
        (True, "yes"),
        (False, "no"),
        ("<b>", "<b>"),
        (format_html('<a href="/x">{}</a>', "a & b"), "a & b"),
        (one_per_line(["one", "two"]), "one; two"),
        (one_per_line([]), ""),
        ("=1+1", "'=1+1"),
        ("+cmd", "'+cmd"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\t=1", "'\t=1"),
        (format_html("<b>{}</b>", "=1+1"), "'=1+1"),
    ],
)
def test_a_cell_is_plain_text(cell: object, written: str) -> None:
    with override("Europe/Amsterdam"):
        assert cell_text(cell) == written


def test_a_table_of_one_s_own_is_a_file() -> None:
    response = csv_response("point.csv", ["AGR", "Connections"], iter([["agr.example", 3], ['"x", y', None]]))

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == 'attachment; filename="point.csv"'
    assert read(response) == [
        {"AGR": "agr.example", "Connections": "3"},
        {"AGR": '"x", y', "Connections": ""},
    ]


def test_rows_are_read_as_the_file_is_sent() -> None:
    taken = 0

    def rows() -> Iterator[list[int]]:
        nonlocal taken
        for number in range(100_000):
            taken += 1
            yield [number]

    pieces = iter(csv_response("x.csv", ["Number"], rows()))
    next(pieces)

    assert taken < 5_000


def test_the_list_leads_to_all_its_rows(admin_client: Client, many: Callable[[int], None]) -> None:
    many(120)
    page = admin_client.get("/admin/participants/auditentry/?subject=odd&p=2")
    assert f'href="{EXPORT}?subject=odd"' in page.content.decode()

    found = read(admin_client.get(f"{EXPORT}?subject=odd&p=2"))

    assert [row["About"] for row in found] == [f"odd {n}" for n in range(119, 0, -2)]
    assert list(found[0]) == ["Moment", "Who", "What", "About", "Before", "After", "Why"]
    assert found[0]["Before"] == found[0]["After"] == ""


def test_moments_are_the_market_s_with_their_offset(admin_client: Client, db: None) -> None:
    audit.record("kim", "did", "thing", {"standing": "known"}, {"standing": "barred"}, "=because", about=None)

    (row,) = read(admin_client.get(EXPORT))

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0[12]:00", row["Moment"])
    assert (row["Before"], row["After"]) == ('{"standing": "known"}', '{"standing": "barred"}')
    assert row["Why"] == "'=because"


def test_a_search_exports_more_than_a_page_counts(admin_client: Client, many: Callable[[int], None]) -> None:
    many(2 * MAX_COUNT + 10)

    found = read(admin_client.get(f"{EXPORT}?q=odd"))

    assert len(found) == MAX_COUNT + 5


@pytest.mark.django_db(transaction=True)
def test_many_rows_take_no_memory(admin_client: Client, many: Callable[[int], None]) -> None:
    many(30_000)
    response = admin_client.get(EXPORT)
    assert isinstance(response, StreamingHttpResponse)
    pieces = iter(response)
    next(pieces)
    tracemalloc.start()
    sent = sum(len(piece) for piece in pieces)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sent > 1_000_000
    assert peak < 8_000_000, f"{peak:,} bytes for {sent:,} sent"


def test_who_is_limited_gets_their_rows_alone(client: Client, db: None) -> None:
    own, other = (Participant.objects.create(role="AGR", domain=f"{n}.example") for n in ("own", "other"))
    user = User.objects.create_user("lee", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_auditentry"))
    assign_perm("participants.view_participant", user, own)
    audit.record("kim", "did", "about own", participants=[own], about=None)
    audit.record("kim", "did", "about other", participants=[other], about=None)
    client.force_login(user)

    assert [row["About"] for row in read(client.get(EXPORT))] == ["about own"]
    assert client.get("/admin/participants/participant/export/").status_code == 403


def test_what_cannot_be_looked_up_leads_back_to_the_list(admin_client: Client, db: None) -> None:
    response = admin_client.get(f"{EXPORT}?moment_from=never")

    assert response.status_code == 302
    assert response["Location"] == "/admin/participants/auditentry/"
