"""The file of every list: a value in each column, which programs read without taking words apart."""

import csv
import re
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from django.contrib import admin
from django.http import StreamingHttpResponse
from django.test import Client

from registry.market.policies import set_policy
from tests.staff_site.test_queries import fill
from uftp import message_search
from uftp.models import Sender

DISPLAYED = re.compile(r"\bfrom 2\d{3}| to 2\d{3}|\bCES?T\b|\bUTC\b|\d %|–")
"""Days, moments and shares as people read them."""

AS_RECORDED = {"Before", "After"}
"""Columns that hold what an audit entry holds."""

MOMENTS = {
    "Closed",
    "Created",
    "Finished",
    "Known from",
    "Last heard from",
    "Moment",
    "Moved",
    "Opened",
    "Processed",
    "Received",
    "Recorded",
    "Refused",
    "Started",
    "Superseded",
}
DAYS = {"First day", "Last day", "Counted for"}


def exported(client: Client, address: str) -> list[dict[str, str]]:
    """The rows of a file by heading."""
    answer = client.get(address)
    assert isinstance(answer, StreamingHttpResponse), address
    return list(csv.DictReader(StringIO(b"".join(answer).decode())))


@pytest.fixture
def filled(db: None) -> None:
    fill(2)
    set_policy("P3", "reject", actor="lee", reason="as agreed")
    day = datetime(2026, 6, 1, tzinfo=UTC)
    days, moments = (day.date(), day.date()), (day, day + timedelta(days=1))
    message_search.start(Sender.objects.all()[0], "ean.8716", days, moments, actor="kim", now=day)


def test_no_list_s_file_holds_what_people_read_alone(admin_client: Client, filled: None) -> None:
    displayed, empty, headings = [], [], set()
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        if admin_client.get(f"/admin/{name}/").status_code == 302:
            continue
        rows = exported(admin_client, f"/admin/{name}/export/")
        empty += [] if rows else [name]
        for row in rows:
            headings |= set(row)
            displayed += [
                (name, column, cell)
                for column, cell in row.items()
                if column not in AS_RECORDED and DISPLAYED.search(cell)
            ]
            for column in MOMENTS & set(row):
                assert not row[column] or datetime.fromisoformat(row[column]).tzinfo, (name, column)
            for column in DAYS & set(row):
                assert not row[column] or date.fromisoformat(row[column]), (name, column)

    assert displayed == []
    assert empty == []
    assert headings > MOMENTS | DAYS


def test_days_have_a_column_for_the_first_and_one_for_the_last(admin_client: Client, filled: None) -> None:
    for table in ("conflict", "representation", "congestionpointconnection", "congestionpointterms"):
        rows = exported(admin_client, f"/admin/registry/{table}/export/")
        assert all(date.fromisoformat(row["First day"]) for row in rows), table
        assert "" in {row["Last day"] for row in rows}, table


def test_a_role_has_a_column_of_its_own(admin_client: Client, filled: None) -> None:
    for row in exported(admin_client, "/admin/uftp/outboundmessage/export/"):
        assert row["Recipient's role"] in ("AGR", "DSO")
        assert " " not in row["Recipient"]
        assert int(row["Size in bytes"]) >= 0
