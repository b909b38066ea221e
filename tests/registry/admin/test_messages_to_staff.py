"""What staff are told of what they decided, at once and in the audit trail, and where they find it later."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client

from participants.models import AuditEntry
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    CongestionPointTerms,
    Representation,
)
from registry.periods import half_open
from tests.registry.admin.pages import declared, list_of, page_of, page_text, represented, text_of

WHY = "seen in the contract"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """An operator, kim."""
    user = User.objects.create_user("kim", password="kim", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO operator"))
    client.force_login(user)
    return client


def sent(client: Client, page: str, **values: str) -> Any:
    """Send a form twice: without having seen the consequences, and with what was shown then."""
    values = {"reason": WHY, **values}
    found = re.findall(r'name="expected" value="(\w+)"', client.post(page, values).content.decode())
    assert len(found) == 1
    return client.post(page, {**values, "expected": found[0]})


def adjusted(client: Client, row: Any, first: str, last: str) -> str:
    answer = sent(client, f"{list_of(type(row))}{row.pk}/adjust/", first=first, last=last)
    assert answer.status_code == 302, text_of(answer)
    return text_of(client.get(answer["Location"]))


def test_an_adjustment_that_a_policy_clips_is_told_and_recorded_as_it_became(staff: Client) -> None:
    declared("grid.example", 7, 1, last=date(2026, 12, 31))
    adjusted(staff, CongestionPointConnection.objects.get(), "2026-06-01", "2026-06-30")

    said = adjusted(staff, CongestionPointConnection.objects.current().get(), "2026-06-01", "")

    row = CongestionPointConnection.objects.current().get()
    assert row.period == half_open(date(2026, 6, 1), date(2026, 12, 31))
    assert "are 2026-06-01 to 2026-12-31; you asked for from 2026-06-01." in said
    assert AuditEntry.objects.first().after == {  # type: ignore[union-attr]
        "days": "2026-06-01 to 2026-12-31",
        "asked for": "from 2026-06-01",
        "change": row.recorded_by_id,
    }


def test_days_that_become_one_with_others_are_told_as_they_became(staff: Client) -> None:
    represented("one.example", 1, last=date(2026, 12, 31))
    represented("one.example", 1, first=date(2027, 3, 1), last=date(2027, 6, 30))
    first = Representation.objects.current().order_by("period")[0]
    assert Representation.objects.current().count() == 2

    said = adjusted(staff, first, "2026-06-01", "2027-02-28")

    assert "are 2026-06-01 to 2027-06-30; you asked for 2026-06-01 to 2027-02-28." in said
    assert Representation.objects.current().count() == 1


def test_days_that_became_what_was_asked_for_are_told_once(staff: Client) -> None:
    declared("grid.example", 7, 1)

    said = adjusted(staff, CongestionPointTerms.objects.get(), "2026-06-01", "2026-08-31")

    assert "are 2026-06-01 to 2026-08-31. " in said
    assert "asked for" not in AuditEntry.objects.first().after  # type: ignore[union-attr, operator]


@pytest.fixture
def settled(staff: Client) -> Conflict:
    """A conflict that kim settled: the holder keeps the days."""
    represented("one.example", 1)
    represented("two.example", 1)
    conflict = Conflict.objects.get()
    assert sent(staff, page_of(conflict), decision="keep").status_code == 302
    return conflict


def test_a_form_sent_once_more_is_not_done_where_the_decision_was_reversed(
    staff: Client, settled: Conflict
) -> None:
    anew = {"decision": "give", "anew": "1"}
    assert sent(staff, page_of(settled), **anew).status_code == 302
    later = Conflict.objects.latest("pk")
    assert staff.post(page_of(settled), {**anew, "reason": WHY, "expected": "0"}).status_code == 302

    answer = staff.post(page_of(settled), {"decision": "keep", "reason": WHY, "expected": "0"})
    assert answer.status_code == 200
    assert "was settled by kim" in text_of(answer)

    assert sent(staff, page_of(later), decision="keep", anew="1").status_code == 302
    answer = staff.post(page_of(settled), {**anew, "reason": WHY, "expected": "0"})
    assert answer.status_code == 200
    assert "decided later" in text_of(answer)


def audit_entries(client: Client, row: Any) -> set[str]:
    """The actions of the entries to which the page of a row leads."""
    (link,) = re.findall(r'href="(/admin/participants/auditentry/\?[^"]+)"', page_text(client, page_of(row)))
    return {entry.action for entry in client.get(link).context["cl"].result_list}


def test_conflicts_settled_together_lead_to_the_decision(staff: Client) -> None:
    represented("one.example", 1, 2)
    represented("two.example", 1, 2)
    first, second = Conflict.objects.order_by("pk")
    page = f"{list_of(Conflict)}settle/?ids={first.pk},{second.pk}"
    assert sent(staff, page, decision="keep").status_code == 302
    assert audit_entries(staff, first) == audit_entries(staff, second) == {"settle conflicts"}

    assert sent(staff, page_of(first), decision="give", anew="1").status_code == 302
    later = Conflict.objects.latest("pk")

    assert audit_entries(staff, first) == {"settle conflicts", "settle conflict anew"}
    assert audit_entries(staff, second) == {"settle conflicts"}
    assert audit_entries(staff, later) == {"settle conflict anew"}
    refused = Representation.objects.current().get(connection=first.connection, standing="refused")
    assert audit_entries(staff, refused) == {"settle conflict anew"}


def test_adjusted_facts_and_their_change_lead_to_the_decision(staff: Client) -> None:
    represented("one.example", 1)
    before = Representation.objects.get()
    assert "historylink" not in staff.get(page_of(before)).content.decode()
    adjusted(staff, before, "2026-06-01", "2026-08-31")

    for row in (before, Representation.objects.current().get(), Change.objects.latest("pk")):
        assert audit_entries(staff, row) == {"adjust period"}


def test_the_entries_of_a_change_are_found_by_an_index(staff: Client, settled: Conflict) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = AuditEntry.objects.filter(after__change__in=[settled.pk, 5]).order_by().explain()
    assert "audit_change" in plan
