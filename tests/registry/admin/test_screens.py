"""The staff's screens of the common reference, through HTTP requests of a member of staff."""

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext

from participants.models import AuditEntry
from registry.changes import Source
from registry.models import (
    Change,
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    PolicySetting,
    Representation,
    RevisionPlace,
)
from registry.updates.publish import publish_congestion_points
from registry.updates.revisions import advance
from tests.registry.admin.pages import (
    LAST,
    TODAY,
    declared,
    home,
    list_of,
    listed,
    message_of,
    page_of,
    page_text,
    party,
    point,
    represented,
)
from uftp.protocol.streaming import MembershipLine, PointLine

PAGES = {
    model: list_of(model)
    for model in (
        Change,
        Conflict,
        CongestionPoint,
        CongestionPointConnection,
        CongestionPointTerms,
        Connection,
        PolicySetting,
        Representation,
        RevisionPlace,
    )
}
POLICIES, MARKET = "/admin/registry/policy/", "/admin/registry/market/1/change/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


@pytest.fixture
def viewer(client: Client, db: None) -> Client:
    """Staff who may look at everything and change nothing."""
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__regex="^(view|see_every)_"))
    client.force_login(user)
    return client


def test_representations_are_searched_and_filtered(staff: Client) -> None:
    represented("one.example", 1, 2)
    represented("two.example", 2, 3)
    represented("one.example", 1, last=date(2026, 9, 30))
    rows = Representation.objects
    first = rows.current().get(connection__address=home(1))
    held = rows.current().get(connection__address=home(2), standing="effective")
    claimed = rows.current().get(connection__address=home(2), standing="contested")
    free = rows.current().get(connection__address=home(3))
    past = rows.exclude(superseded_by=None).get()
    found = {
        "": {first, held, claimed, free},
        "?known=superseded": {past},
        "?known=all": {first, held, claimed, free, past},
        f"?q={home(2)}": {held, claimed},
        "?q=ean.8716": {first, held, claimed, free},
        "?q=8716": {first, held, claimed, free},
        "?q=716": set(),
        "?standing__exact=contested": {claimed},
        "?domain=two.example": {claimed, free},
        f"?recorded_by__id__exact={past.recorded_by_id}&known=all": {past, held},
        f"?superseded_by__id__exact={past.superseded_by_id}&known=all": {past},
    }

    for query, expected in found.items():
        assert listed(staff, PAGES[Representation] + query) == {row.pk for row in expected}, query


def test_days_are_shown_with_their_last_one(staff: Client) -> None:
    represented("one.example", 1)

    assert "2026-06-01 to 2026-12-31" in page_text(staff, PAGES[Representation])


def test_points_show_their_current_terms(staff: Client) -> None:
    declared("grid.example", 1, 1, 2)
    declared("grid.example", 1, 1, 2, last=LAST)
    declared("other.example", 2)

    page = page_text(staff, PAGES[CongestionPoint] + "?domain=grid.example")
    assert "2026-06-01 to 2026-12-31: day-ahead by AGR, intraday by DSO, mutex offers" in page
    assert "from 2026-06-01" not in page
    assert point(2) not in page
    page = page_text(staff, page_of(CongestionPoint.objects.get(address=point(1))))
    assert "from 2026-06-01" in page
    assert listed(staff, PAGES[CongestionPoint] + f"?q={point(2)}") == {
        CongestionPoint.objects.get(address=point(2)).pk
    }


def test_memberships_and_terms_are_found(staff: Client) -> None:
    declared("grid.example", 1, 1, 2)
    declared("other.example", 2, 3)
    membership = CongestionPointConnection.objects.get(connection__address=home(3))
    terms = CongestionPointTerms.objects.get(congestion_point__address=point(2))

    for query in (f"?q={home(3)}", f"?q={point(2)}", "?domain=other.example"):
        assert listed(staff, PAGES[CongestionPointConnection] + query) == {membership.pk}, query
    for query in (f"?q={point(2)}", "?domain=other.example"):
        assert listed(staff, PAGES[CongestionPointTerms] + query) == {terms.pk}, query


def test_a_connection_shows_all_about_it(staff: Client) -> None:
    declared("grid.example", 1, 1)
    represented("one.example", 1)
    represented("two.example", 1)
    connection_of = Connection.objects.get(address=home(1))
    conflict = Conflict.objects.get()

    page = page_text(staff, page_of(connection_of))

    for words in ("AGR one.example", "AGR two.example", "DSO grid.example", point(1), "Contested"):
        assert words in page
    assert f'href="{page_of(conflict)}"' in page


def test_a_change_leads_to_its_message_and_what_it_changed(staff: Client) -> None:
    message = represented("one.example", 1, 2, 3)
    change = Change.objects.get()

    page = page_text(staff, f"/admin/uftp/inboundmessage/{message.pk}/change/")
    assert f'href="{page_of(change)}"' in page
    (target,) = re.findall(r'href="([^"]*)">3 recorded<', page)
    assert len(listed(staff, target)) == 3
    page = page_text(staff, page_of(change))
    assert f'href="/admin/uftp/inboundmessage/{message.pk}/change/"' in page
    assert "3 recorded" in page
    assert "AGRPortfolioUpdate of AGR one.example" in page_text(staff, PAGES[Change])
    for query in (f"?q={change.pk}", f"?q={message.message_id}", "?kind__exact=message"):
        assert listed(staff, PAGES[Change] + query) == {change.pk}, query
    assert listed(staff, PAGES[Change] + "?moment_to=2020-01-01") == set()


def moved(domain: str) -> RevisionPlace:
    advance(
        party("AGR", domain), "AGRPortfolioUpdate", sequence=7, time_stamp=datetime(2026, 6, 1, tzinfo=UTC)
    )
    return RevisionPlace.objects.get(sender__domain=domain)


def test_a_revision_place_is_reset_for_a_reason(staff: Client) -> None:
    place = moved("one.example")
    other = moved("two.example")
    chosen: dict[str, Any] = {"action": "reset", "_selected_action": [place.pk]}

    refused = staff.post(PAGES[RevisionPlace], {**chosen, "reason": " "}, follow=True)
    assert "Say why" in refused.content.decode()
    assert RevisionPlace.objects.count() == 2

    staff.post(PAGES[RevisionPlace], {**chosen, "reason": "their clock was wrong"})
    assert list(RevisionPlace.objects.all()) == [other]
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.reason) == ("kim", "their clock was wrong")
    assert entry.subject == "AGRPortfolioUpdate of AGR one.example"


def facts(numbers: range) -> None:
    """For each number a congestion point with a connection that two AGRs claim, a change, and a revision place."""
    dso = party("DSO", "grid.example")
    lines: list[PointLine | MembershipLine] = []
    for place, number in enumerate(numbers):
        lines.append(PointLine(place, point(number), TODAY, None, True, "AGR", "DSO"))
        lines.append(MembershipLine(place, home(number), TODAY, None))
    publish_congestion_points(dso, lines, today=TODAY, source=Source.of_message(message_of(dso)))
    represented("one.example", *numbers)
    represented("two.example", *numbers)
    for number in numbers:
        moved(f"agr-{number}.example")
        PolicySetting.objects.create(name="P3", value="adjust")
        Change.objects.create(
            kind="message", message=message_of(dso), moment=datetime(2026, 6, 1, tzinfo=UTC)
        )


@pytest.mark.parametrize("model", PAGES, ids=lambda model: model.__name__)
def test_a_list_asks_as_much_for_60_rows_as_for_5(staff: Client, model: type[models.Model]) -> None:
    asked = []
    for numbers in (range(5), range(5, 60)):
        facts(numbers)
        page_text(staff, PAGES[model])
        with CaptureQueriesContext(connection) as queries:
            page_text(staff, PAGES[model])
        asked.append([query["sql"] for query in queries])

    assert len(asked[0]) == len(asked[1]), asked[1]
    about = [sql for sql in asked[1] if f'FROM "{model._meta.db_table}"' in sql]
    assert about
    for sql in about:
        assert "LIMIT" in sql, sql
        assert "sealed" not in sql, sql


def test_facts_are_neither_added_nor_changed_nor_deleted(staff: Client) -> None:
    facts(range(3))

    for model, page in PAGES.items():
        if model is Conflict:
            continue
        row = model._default_manager.order_by("pk").last()
        assert row is not None
        assert staff.get(page_of(row)).status_code == 200, page
        assert staff.post(page_of(row), {"address": "x"}).status_code == 403
        assert staff.get(f"{page}add/").status_code == 403
        assert staff.post(f"{page}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert "delete_selected" not in page_text(staff, page)


def test_who_may_only_look_changes_nothing(viewer: Client) -> None:
    facts(range(3))
    place = RevisionPlace.objects.latest("pk")
    for page in (*PAGES.values(), POLICIES, f"{POLICIES}P3/change/", MARKET):
        assert viewer.get(page).status_code == 200, page

    chosen: dict[str, Any] = {"action": "reset", "_selected_action": [place.pk], "reason": "for fun"}
    viewer.post(PAGES[RevisionPlace], chosen)
    assert RevisionPlace.objects.filter(pk=place.pk).exists()
    assert viewer.post(f"{POLICIES}P3/change/", {"value": "reject", "reason": "fun"}).status_code == 403
    assert viewer.post(MARKET, {"time_zone": "Europe/London", "reason": "fun"}).status_code == 403


def test_a_change_counts_what_it_superseded_and_the_conflicts_it_opened(staff: Client) -> None:
    represented("one.example", 1, 2)
    represented("one.example", 1, last=date(2026, 9, 30))
    represented("two.example", 2)
    first, shortened, contesting = Change.objects.order_by("pk")

    page = page_text(staff, page_of(first))
    assert "2 recorded" in page
    assert "superseded" not in page
    assert "Conflicts opened: <strong>0<" in page
    (target,) = re.findall(r'href="([^"]*)">1 superseded<', page_text(staff, page_of(shortened)))
    assert len(listed(staff, target)) == 1
    (target,) = re.findall(r'href="([^"]*)">1 opened<', page_text(staff, page_of(contesting)))
    assert len(listed(staff, target)) == 1


def test_a_message_without_changes_says_so(staff: Client) -> None:
    message = message_of(party("AGR", "one.example"))

    assert "changed no day of anything" in page_text(
        staff, f"/admin/uftp/inboundmessage/{message.pk}/change/"
    )


def test_facts_about_a_connection_are_current_ones_first(staff: Client) -> None:
    represented("one.example", 1)
    represented("one.example", 1, last=date(2026, 9, 30))

    page = page_text(staff, page_of(Connection.objects.get()))

    assert page.index("2026-06-01 to 2026-09-30") < page.index("2026-06-01 to 2026-12-31")


def test_the_overview_counts_only_what_one_may_look_at(client: Client, db: None) -> None:
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_conflict", "see_every_participant"])
    )
    client.force_login(user)
    represented("one.example", 1)

    page = page_text(client, "/admin/")

    assert 'aria-label="0 open conflicts"' in page
    assert "set aside" not in page
    assert "Messages received" not in page
