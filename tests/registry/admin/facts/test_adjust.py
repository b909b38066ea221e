"""Staff adjust the days of a fact, through HTTP requests of members of staff."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry
from registry.changes import Source
from registry.decisions.settle import settle
from registry.models import Conflict, CongestionPointConnection, CongestionPointTerms, Representation
from registry.periods import half_open
from tests.registry.admin.pages import (
    TODAY,
    declared,
    home,
    list_of,
    page_of,
    page_text,
    party,
    represented,
    text_of,
)

WHY = "the contract ends earlier"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    """An operator, kim."""
    client.force_login(member("kim", "CRO operator"))
    return client


def member(name: str, group: str) -> User:
    user = User.objects.create_user(name, password=name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    return user


def adjusting(row: Any) -> str:
    return f"{list_of(type(row))}{row.pk}/adjust/"


def fingerprint(answer: Any) -> str:
    (found,) = re.findall(r'name="expected" value="(\w+)"', answer.content.decode())
    return str(found)


def adjust(client: Client, row: Any, first: str, last: str, query: str = "", **more: str) -> Any:
    """Adjust a row as its page does: see the consequences, then send the form with it."""
    data = {"first": first, "last": last, "reason": WHY, **more}
    seen = client.post(f"{adjusting(row)}preview/", data)
    return client.post(adjusting(row) + query, {**data, "expected": fingerprint(seen)})


def of(agr: str) -> Representation:
    return Representation.objects.current().get(agr__domain=agr)


def test_the_page_of_a_fact_leads_to_adjusting_it(staff: Client) -> None:
    represented("one.example", 1)
    declared("grid.example", 7, 1)

    for model in (Representation, CongestionPointConnection, CongestionPointTerms):
        row = model.objects.get()
        assert f'href="{adjusting(row)}"' in page_text(staff, page_of(row))
        page = page_text(staff, adjusting(row))
        assert 'name="first" value="2026-06-01"' in page
    assert 'name="last" value="2026-12-31"' in page_text(staff, adjusting(of("one.example")))


def test_days_are_adjusted_as_the_preview_said(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31"}

    seen = text_of(staff.post(f"{adjusting(row)}preview/", data))
    assert "Conflicts closed: <strong>1</strong>" in seen
    assert "2026-09-01 to 2026-12-31" in seen
    assert of("one.example").pk == row.pk

    answer = adjust(staff, row, **data)

    assert answer["Location"] == page_of(row.connection)
    assert "are 2026-06-01 to 2026-08-31." in text_of(staff.get(answer["Location"]))
    assert of("one.example").period == half_open(date(2026, 6, 1), date(2026, 8, 31))
    gained = Representation.objects.current().get(agr__domain="two.example", standing="effective")
    assert gained.period == half_open(date(2026, 9, 1), date(2026, 12, 31))


def test_days_that_do_not_count_are_said_before_and_after(staff: Client) -> None:
    represented("one.example", 1, first=date(2026, 8, 1))
    represented("two.example", 1)
    conflict = Conflict.objects.get()
    settle(conflict.pk, "keep", at=None, source=Source.of_staff("kim", WHY), today=TODAY)
    row = Representation.objects.current().get(agr__domain="two.example", standing="effective")
    data = {"first": "2026-05-01", "last": "2027-03-01"}

    seen = text_of(staff.post(f"{adjusting(row)}preview/", data))
    assert f"stays refused 2026-08-01 to 2026-12-31, by conflict {conflict.pk}." in seen
    assert "2027-01-01 to 2027-03-01" in seen

    answer = text_of(staff.get(adjust(staff, row, **data)["Location"]))
    assert "are 2026-05-01 to 2027-03-01; 2026-08-01 to 2026-12-31 is refused, by conflict" in answer


def test_no_last_day_is_open_ended(staff: Client) -> None:
    represented("one.example", 1)

    adjust(staff, of("one.example"), "2026-03-01", "")

    assert of("one.example").period == half_open(date(2026, 3, 1), None)


def test_a_shortened_congestion_point_clips_its_connections(staff: Client) -> None:
    declared("grid.example", 7, 1, 2)
    row = CongestionPointTerms.objects.get()
    data = {"first": "2026-06-01", "last": "2026-09-30"}

    seen = text_of(staff.post(f"{adjusting(row)}preview/", data))
    assert home(1) in seen
    assert home(2) in seen

    assert adjust(staff, row, **data)["Location"] == page_of(row.congestion_point)
    for membership in CongestionPointConnection.objects.current():
        assert membership.period == half_open(date(2026, 6, 1), date(2026, 9, 30))


def test_staff_come_back_to_the_conflict_that_they_came_from(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    conflict = Conflict.objects.get()

    answer = adjust(staff, of("two.example"), "2027-01-01", "", query=f"?conflict={conflict.pk}")

    assert answer["Location"] == page_of(conflict)
    assert "It ended without a decision" in text_of(staff.get(answer["Location"]))


def test_a_row_changed_meanwhile_leads_to_the_current_one(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}
    before = fingerprint(staff.post(f"{adjusting(row)}preview/", data))
    represented("one.example", 1, last=date(2026, 10, 31))

    for answer in (
        staff.post(adjusting(row), {**data, "expected": before}),
        staff.get(adjusting(row)),
    ):
        text = text_of(answer)
        assert "by AGRPortfolioUpdate of AGR one.example" in text
        assert f'href="{adjusting(of("one.example"))}"' in text
        assert 'name="first"' not in text
    assert "one.example" in text_of(staff.post(f"{adjusting(row)}preview/", data))
    assert of("one.example").period == half_open(date(2026, 6, 1), date(2026, 10, 31))
    assert f'href="{adjusting(row)}"' not in page_text(staff, page_of(row))


def test_a_form_sent_twice_adjusts_once_and_says_the_same(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}
    data["expected"] = fingerprint(staff.post(f"{adjusting(row)}preview/", data))

    for _ in range(2):
        answer = staff.post(adjusting(row), data)
        assert answer.status_code == 302
        assert "are 2026-06-01 to 2026-08-31." in text_of(staff.get(answer["Location"]))
    assert Representation.objects.count() == 2
    assert AuditEntry.objects.filter(action="adjust period").count() == 1


@pytest.mark.parametrize(
    "more", [{"last": "2026-08-30"}, {"reason": "another one"}, {"first": "2026-06-02", "last": "2026-08-31"}]
)
def test_another_adjustment_of_a_row_adjusted_meanwhile_is_not_done(
    staff: Client, more: dict[str, str]
) -> None:
    represented("one.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}
    data["expected"] = fingerprint(staff.post(f"{adjusting(row)}preview/", data))
    staff.post(adjusting(row), data)

    answer = text_of(staff.post(adjusting(row), {**data, **more}))

    assert "by kim" in answer
    assert "nothing was adjusted" in answer


def test_a_form_sent_twice_after_a_later_change_is_told_of_it(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}
    data["expected"] = fingerprint(staff.post(f"{adjusting(row)}preview/", data))
    staff.post(adjusting(row), data)
    represented("one.example", 1, last=date(2026, 10, 31))

    assert "nothing was adjusted" in text_of(staff.post(adjusting(row), data))


def test_nothing_is_adjusted_unseen(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}

    answer = staff.post(adjusting(row), data)

    assert "Look at the consequences below" in text_of(answer)
    assert of("one.example").pk == row.pk
    assert staff.post(adjusting(row), {**data, "expected": fingerprint(answer)}).status_code == 302


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"first": ""}, "Give the first day."),
        ({"first": "99999"}, "The first day is not a date"),
        ({"last": "2026-02-30"}, "The last day is not a date"),
        ({"first": "2026-06-01", "last": "2026-05-01"}, "lies before the first"),
        ({"first": "2026-06-01", "last": "2026-12-31"}, "Nothing changes"),
        ({"reason": ""}, "Say why"),
        ({"reason": "x" * 3_000}, "at most 2000 characters"),
        ({"reason": "a\x00b"}, "Null characters are not allowed."),
        ({"last": "\x00"}, "The last day is not a date"),
        ({"expected": "\x00"}, "nothing was done"),
        ({"first": "0001-01-01", "last": "9999-12-31", "sure": "on"}, "nothing was done"),
        ({"first": "9999-12-31", "last": "", "sure": "on"}, "nothing was done"),
    ],
)
def test_rubbish_is_told_beside_the_form(staff: Client, said: dict[str, str], told: str) -> None:
    represented("one.example", 1)
    row = of("one.example")
    form = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY, "expected": "0" * 32, **said}

    answer = staff.post(adjusting(row), form)

    assert answer.status_code == 200
    assert told in text_of(answer)
    assert staff.post(f"{adjusting(row)}preview/", form).status_code == 200
    assert of("one.example").pk == row.pk


def test_addresses_typed_by_hand_are_answered(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")

    for model in (Representation, CongestionPointConnection, CongestionPointTerms):
        for key in ("0", "x", "9" * 30, "%00", str(row.pk + 1)):
            for page in ("adjust/", "adjust/preview/"):
                assert staff.get(f"{list_of(model)}{key}/{page}").status_code == 404
                assert staff.post(f"{list_of(model)}{key}/{page}", {}).status_code == 404
    assert staff.get(f"{adjusting(row)}preview/")["Location"] == adjusting(row)
    for came_from in ("x", "0", "9" * 30, "²"):
        assert staff.get(f"{adjusting(row)}?conflict={came_from}").status_code == 200
    answer = adjust(staff, row, "2026-07-01", "", query="?conflict=%C2%B2")
    assert answer["Location"] == page_of(row.connection)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="kim"))
    assert strict.post(adjusting(of("one.example")), {"first": "2026-07-01"}).status_code == 403


def test_only_those_who_may_adjust_for_the_party_do(client: Client, db: None) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    mine, foreign = of("one.example"), of("two.example")
    user = member("mo", "CRO participant manager")
    assign_perm("participants.change_participant", user, party("AGR", "one.example"))
    client.force_login(user)

    assert client.get(adjusting(foreign)).status_code == 404
    assert client.post(f"{adjusting(foreign)}preview/", {"first": "2026-07-01"}).status_code == 404
    seen = text_of(client.post(f"{adjusting(mine)}preview/", {"first": "2026-07-01", "last": "2026-12-31"}))
    assert "another participant" in seen
    assert "two.example" not in seen
    assert adjust(client, mine, "2026-07-01", "2026-12-31").status_code == 302

    client.force_login(member("ann", "CRO auditor"))
    row = of("one.example")
    assert f'href="{adjusting(row)}"' not in page_text(client, page_of(row))
    for page in (adjusting(row), f"{adjusting(row)}preview/"):
        assert client.get(page).status_code == 403
        assert client.post(page, {"first": "2026-07-01", "reason": WHY}).status_code == 403


def test_days_far_from_today_are_taken_only_when_confirmed(staff: Client) -> None:
    represented("one.example", 1)
    row = of("one.example")
    said = {"first": "2026-06-01", "last": "2206-12-31", "reason": WHY}
    seen = staff.post(f"{adjusting(row)}preview/", said)
    assert "2206-12-31 is 1" in text_of(seen), "the preview questions it"
    assert "after today: is that meant?" in text_of(seen)
    said["expected"] = fingerprint(seen)

    asked = staff.post(adjusting(row), said)

    assert asked.status_code == 200
    assert "If it is meant, tick this; if not, correct the day." in text_of(asked)
    assert 'name="sure"' in text_of(asked)
    assert of("one.example").pk == row.pk, "nothing was taken"
    assert staff.post(adjusting(row), {**said, "sure": "on"}).status_code == 302
    assert str(of("one.example").period.upper) == "2207-01-01"


def test_days_near_today_need_no_confirmation(staff: Client) -> None:
    represented("one.example", 1)
    assert 'name="sure"' not in page_text(staff, adjusting(of("one.example")))
    assert adjust(staff, of("one.example"), "2026-06-01", "2027-12-31").status_code == 302
