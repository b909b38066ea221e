"""Lists of big tables read few rows: what the paginator counts, and what searching asks of the database."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.paginator import EmptyPage
from django.db import connection
from django.db.models import QuerySet
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from participants.admin_base.paginator import MAX_COUNT, CappedPaginator
from participants.admin_base.scalable import ScalableAdmin
from participants.models import AuditEntry

LIST = "/admin/participants/auditentry/"
MANY = 30_000


@pytest.fixture
def big_table(db: None) -> QuerySet[AuditEntry]:
    """MANY audit entries, of which 100 are about `rare`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO participants_auditentry (actor, action, subject, reason, participants)"
            " SELECT 'kim', 'did', CASE WHEN n %% 300 = 0 THEN 'rare ' ELSE 'thing ' END || n, '', '{}'"
            " FROM generate_series(1, %s) AS n",
            [MANY],
        )
        cursor.execute("ANALYZE participants_auditentry")
    return AuditEntry.objects.all()


def pages(rows: QuerySet[Any]) -> CappedPaginator:
    return CappedPaginator(rows, 50)


def test_a_small_table_is_counted(db: None) -> None:
    for number in range(3):
        AuditEntry.objects.create(actor="kim", action="did", subject=str(number))

    paginator = pages(AuditEntry.objects.order_by("-pk"))

    assert (str(paginator.count), paginator.num_pages) == ("3", 1)


def test_a_big_table_is_estimated(big_table: QuerySet[AuditEntry]) -> None:
    with CaptureQueriesContext(connection) as queries:
        paginator = pages(big_table)
        assert (str(paginator.count), paginator.num_pages) == ("about 30,000", MAX_COUNT // 50)

    assert len(queries) == 1
    assert "pg_class" in queries[0]["sql"]


def test_what_matches_much_is_counted_to_the_cap(big_table: QuerySet[AuditEntry]) -> None:
    with CaptureQueriesContext(connection) as queries:
        paginator = pages(big_table.filter(actor="kim"))
        assert (str(paginator.count), paginator.num_pages) == ("more than 10,000", MAX_COUNT // 50)

    assert f"LIMIT {MAX_COUNT + 1}" in queries[0]["sql"]
    assert "ORDER BY" not in queries[0]["sql"]


def test_what_matches_little_is_counted(big_table: QuerySet[AuditEntry]) -> None:
    assert str(pages(big_table.filter(subject__startswith="rare")).count) == "100"


def test_the_last_page_is_at_the_cap(big_table: QuerySet[AuditEntry]) -> None:
    paginator = pages(big_table.order_by("-pk"))

    assert len(paginator.page(200).object_list) == 50
    with pytest.raises(EmptyPage):
        paginator.page(201)


def test_an_estimate_of_rows_that_are_gone_shows_an_empty_page(big_table: QuerySet[AuditEntry]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # no check of the rows may wait for the commit
        cursor.execute("TRUNCATE participants_auditentry")
        cursor.execute("UPDATE pg_class SET reltuples = 20000 WHERE relname = 'participants_auditentry'")

    assert list(pages(big_table).page(1).object_list) == []


@pytest.mark.parametrize("query", ["", "?q=rare", "?q=thing", "?p=2", "?p=200", "?q=thing&p=3"])
def test_no_list_counts_the_table(big_table: QuerySet[AuditEntry], client: Client, query: str) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))

    with CaptureQueriesContext(connection) as queries:
        assert client.get(LIST + query).status_code == 200

    about = [entry["sql"] for entry in queries if "participants_auditentry" in entry["sql"]]
    assert about
    for sql in about:
        assert "LIMIT" in sql or "pg_class" in sql, sql


def test_the_list_says_how_much_there_is(big_table: QuerySet[AuditEntry], client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))

    assert "about 30,000 audit entries" in client.get(LIST).content.decode()
    assert "more than 1,000 audit entries" in client.get(LIST + "?q=thing").content.decode()
    assert "100 audit entries" in client.get(LIST + "?q=rare").content.decode()


def test_a_page_too_far_is_refused_politely(big_table: QuerySet[AuditEntry], client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))

    assert client.get(LIST + "?p=500").status_code == 302


class Screen(ScalableAdmin):
    search_fields = ("subject__startswith", "actor__exact", "pk__exact")


def search(rows: QuerySet[AuditEntry], text: str) -> QuerySet[AuditEntry]:
    return Screen(AuditEntry, admin.site).get_search_results(RequestFactory().get("/"), rows, text)[0]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("rare 300", 3, id="start"),
        pytest.param("  rare 3000 ", 2, id="white space around"),
        pytest.param("300", 0, id="not the middle"),
        pytest.param("RARE", 0, id="case counts"),
        pytest.param("rare%", 0, id="no wildcard"),
        pytest.param("300 rare", 0, id="a text as a whole"),
    ],
)
def test_search(big_table: QuerySet[AuditEntry], text: str, found: int) -> None:
    assert search(big_table, text).count() == found


def test_search_finds_among_what_the_filters_left(big_table: QuerySet[AuditEntry]) -> None:
    left = big_table.filter(subject="rare 300")

    assert [entry.subject for entry in search(left, "kim")] == ["rare 300"]


@pytest.mark.parametrize("text", ["\x00", "\x00\x00", "kim\x00"])
def test_what_no_text_holds_finds_nothing(big_table: QuerySet[AuditEntry], text: str) -> None:
    assert not search(big_table, text).exists()


@pytest.mark.parametrize("text", ["a word", "99999999999999999999999999"])
def test_a_text_that_a_field_cannot_hold_matches_nothing_there(db: None, text: str) -> None:
    AuditEntry.objects.create(actor=text, action="did", subject="it")

    assert search(AuditEntry.objects.all(), text).count() == 1


def test_nothing_searched_for_is_everything(big_table: QuerySet[AuditEntry]) -> None:
    assert search(big_table, "  ").count() == MANY


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"search_fields": ["subject"]}, ["participants.E001"]),
        ({"search_fields": ["subject__icontains"]}, ["participants.E001"]),
        ({"list_filter": ["actor"]}, ["participants.E002"]),
        ({"search_fields": ["subject__startswith", "pk__exact"], "list_filter": ["moment"]}, []),
        ({"about_participants": True}, ["participants.E003"]),
        ({"about_participants": True, "scope_by": ("sender",)}, []),
    ],
)
def test_what_would_read_a_whole_table_is_refused_at_start(
    attributes: dict[str, Any], found: list[str]
) -> None:
    screen = type("Screen", (ScalableAdmin,), {"about_participants": False, **attributes})

    assert [error.id for error in screen(AuditEntry, admin.site).check()] == found


@pytest.mark.parametrize("view", ["", "export/"])
def test_no_address_sorts_by_a_column_that_offers_none(
    big_table: QuerySet[AuditEntry], client: Client, view: str
) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))

    for order in ("3", "4", "-5.4", "99", "x"):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(f"{LIST}{view}?o={order}&q=rare+300")
            assert b"".join(answer) if answer.streaming else answer.content
        sorts = [
            entry["sql"].partition("ORDER BY")[2]
            for entry in queries
            if '"participants_auditentry"."reason"' in entry["sql"]
        ]
        assert {by.split()[0] for by in sorts if by} == {'"participants_auditentry"."id"'}, order


@pytest.mark.parametrize(
    "query",
    [
        "participants__contains={30}",
        "reason__contains=x",
        "after__x=1",
        "moment__year=abc",
        "actor=%00",
        "x=1",
    ],
)
@pytest.mark.parametrize("view", ["", "export/"])
def test_a_list_answers_no_other_question_than_its_filters(
    db: None, client: Client, view: str, query: str
) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))

    answer = client.get(f"{LIST}{view}?{query}")

    assert answer.status_code == 302
    assert answer["Location"].startswith(LIST)
