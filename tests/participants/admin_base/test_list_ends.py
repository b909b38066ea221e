"""Every list says where it ends, and how to reach what comes after."""

import html

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client


@pytest.fixture
def many(db: None, client: Client) -> Client:
    """An operator's browser, and 10,050 audit entries of which 1,500 are about `rare`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO participants_auditentry (actor, action, subject, reason, participants)"
            " SELECT 'kim', 'did', CASE WHEN n <= 1500 THEN 'rare ' ELSE 'thing ' END || n, '', '{}'"
            " FROM generate_series(1, 10050) AS n"
        )
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def said(client: Client, query: str) -> str:
    return html.unescape(client.get(f"/admin/participants/auditentry/{query}").content.decode())


def test_a_list_of_more_than_ten_thousand_rows_says_that_it_ends_at_page_200(many: Client) -> None:
    for query in ("", "?p=200"):
        assert (
            "The list ends after 10,000 rows, on 200 pages; there are more. Narrow it by a search,"
            " the filter by who, the filter by what, the filter by participant, the filter by subject or the filter"
            " by moment." in said(many, query)
        )


def test_a_search_says_that_it_found_more_than_it_shows(many: Client) -> None:
    page = said(many, "?q=rare")
    assert "The list ends after 1,000 rows, on 20 pages; there are more." in page
    assert "Narrow it by more of what you search for," in page


def test_a_list_that_is_whole_says_nothing_of_it(many: Client) -> None:
    assert "The list ends" not in said(many, "?q=rare 15")
