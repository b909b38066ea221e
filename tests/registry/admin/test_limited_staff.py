"""What staff who look after some participants read on the registry's screens of those they do not look after."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants.models import Participant
from registry.changes import Source
from registry.decisions.settle import settle
from registry.market.policies import set_policy
from registry.models import Conflict, CongestionPointConnection, Representation
from tests.registry.admin.pages import (
    TODAY,
    declared,
    home,
    list_of,
    listed,
    page_of,
    page_text,
    party,
    point,
    represented,
    text_of,
)

pytestmark = pytest.mark.django_db


def looking_after(*parties: Participant) -> Client:
    """A client logged in as one who acts for these alone."""
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO participant manager"))
    for participant in parties:
        assign_perm("participants.change_participant", user, participant)
    client = Client()
    client.force_login(user)
    return client


def test_the_answer_to_a_stranger_s_message_is_not_shown() -> None:
    represented("a.example", 1)
    message = represented("b.example", 1, 2)
    message.result, message.reason = "Accepted", f"Warning: contested {home(1)}, {home(2)}"
    message.save()
    conflict = Conflict.objects.get()

    assert home(2) not in page_text(looking_after(party("AGR", "a.example")), page_of(conflict))
    User.objects.all().delete()
    assert home(2) in page_text(looking_after(party("AGR", "b.example")), page_of(conflict))


def test_why_a_stranger_was_refused_in_favour_of_another_is_not_shown() -> None:
    represented("b.example", 1)
    represented("a.example", 1)
    represented("c.example", 1)
    source = Source.of_staff("kim", "said by c in confidence")
    with_c = Conflict.objects.get(claimant__domain="c.example")
    settle(with_c.pk, "give", at=None, source=source, today=TODAY)
    of_a = Conflict.objects.get(holder__domain="b.example", claimant__domain="a.example")

    page = page_text(looking_after(party("AGR", "a.example")), page_of(of_a))
    assert "in confidence" not in page
    assert "These days were given to another participant." in page
    assert "c.example" not in page
    User.objects.all().delete()
    assert "in confidence" in page_text(looking_after(party("AGR", "b.example")), page_of(of_a))


def test_C3_a_stranger_who_got_refused_days_is_not_named() -> None:
    earlier = datetime(2026, 5, 1, tzinfo=UTC)
    set_policy("representation conflicts", "newest wins", actor="kim", reason="", now=earlier)
    represented("a.example", 1)
    represented("b.example", 1)
    refused = Representation.objects.get(standing="refused")
    pages = (page_of(refused.connection), page_of(refused))

    client = looking_after(party("AGR", "a.example"))
    for page in pages:
        assert "another participant" in page_text(client, page)
        assert "b.example" not in page_text(client, page)
    User.objects.all().delete()
    client = looking_after(party("AGR", "a.example"), party("AGR", "b.example"))
    for page in pages:
        assert "b.example" in page_text(client, page)


def test_a_stranger_s_congestion_points_filter_nothing() -> None:
    represented("a.example", 1)
    represented("b.example", 1)
    declared("d.example", 7, 1)
    queue = f"{list_of(Conflict)}?point={point(7)}"

    assert listed(looking_after(party("AGR", "a.example")), queue) == set()
    User.objects.all().delete()
    both = looking_after(party("AGR", "a.example"), party("DSO", "d.example"))
    assert listed(both, queue) == {Conflict.objects.get().pk}


def test_a_preview_names_no_congestion_point_of_a_stranger() -> None:
    declared("d.example", 7, 1)
    declared("e.example", 8, 1)
    row = CongestionPointConnection.objects.current().get(dso__domain="d.example")
    client = looking_after(party("DSO", "d.example"))

    seen = text_of(
        client.post(
            f"{list_of(CongestionPointConnection)}{row.pk}/adjust/preview/",
            {"first": "2026-06-01", "last": "2026-06-30"},
        )
    )

    assert point(7) in seen
    assert "another participant" in seen
    assert point(8) not in seen


def test_nobody_comes_back_to_a_stranger_s_conflict() -> None:
    represented("a.example", 1)
    represented("b.example", 2)
    represented("c.example", 2)
    foreign = Conflict.objects.get()
    row = Representation.objects.get(agr__domain="a.example")
    client = looking_after(party("AGR", "a.example"))
    page = f"{list_of(Representation)}{row.pk}/adjust/"
    data = {"first": "2026-06-01", "last": "2026-06-30", "reason": "because"}
    (expected,) = re.findall(
        r'name="expected" value="(\w+)"', client.post(f"{page}preview/", data).content.decode()
    )

    answer = client.post(f"{page}?conflict={foreign.pk}", {**data, "expected": expected})

    assert answer["Location"] == page_of(row.connection)
