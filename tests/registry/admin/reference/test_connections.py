"""The pages of connections and congestion points, through HTTP requests of a member of staff."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from participants.models import Participant
from participants.scope import EVERYONE
from registry.admin.reference import connection_page, connections
from registry.changes import Source
from registry.decisions.history import later_decisions, replaced_among
from registry.decisions.settle import settle, settle_anew
from registry.market.policies import set_policy
from registry.models import Change, Conflict, CongestionPoint, Connection, Representation
from registry.queries import coverage
from tests.registry.admin.pages import (
    LAST,
    TODAY,
    csv_of,
    declared,
    home,
    list_of,
    listed,
    of_home,
    of_point,
    page_of,
    page_text,
    party,
    point,
    represented,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _standing_clock(stop_clock: Callable[[datetime], None]) -> None:
    stop_clock(NOW)


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(
        User.objects.create_superuser("kim", password="kim"), "django.contrib.auth.backends.ModelBackend"
    )
    return client


def limited(*to: Participant) -> Client:
    """A participant manager who looks after `to`."""
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO participant manager"))
    for participant in to:
        assign_perm("participants.change_participant", user, participant)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def words(page: str) -> str:
    """What a page says, without mark-up."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def moments_from(first: datetime) -> None:
    """The changes bear moments a day apart, from `first` on."""
    for number, change in enumerate(Change.objects.order_by("pk")):
        Change.objects.filter(pk=change.pk).update(moment=first + timedelta(days=number))


def test_a_whole_address_leads_to_its_connection(staff: Client) -> None:
    declared("grid.example", 1, 1, 2)

    assert staff.get(list_of(Connection), {"q": home(1)}).headers["Location"] == page_of(of_home(1))
    assert listed(staff, f"{list_of(Connection)}?q={home(1)[:-2]}") == {of_home(1).pk, of_home(2).pk}


def test_a_connection_says_who_has_it_today(staff: Client) -> None:
    declared("grid.example", 1, 1)
    represented("one.example", 1)
    represented("two.example", 1, last=None)

    page = words(page_text(staff, page_of(of_home(1))))

    assert f"Represented by AGR one.example , {TODAY} to {LAST} Effective Adjust" in page
    assert f"AGR two.example , {TODAY} to {LAST} Contested waiting since" in page
    assert f"Lies in {point(1)} of DSO grid.example , from {TODAY} Effective" in page


def test_of_very_many_claims_for_a_day_the_first_are_listed(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A DSO may list a connection at all of its congestion points."""
    for module in (connection_page, connections):
        monkeypatch.setattr(module, "CLAIMS", 2)
    declared("grid.example", 1, 1)
    declared("grid.example", 2, 1)
    page = page_of(of_home(1))
    assert "more claims for this day" not in words(page_text(staff, page))

    declared("grid.example", 3, 1)
    said = page_text(staff, page)
    assert words(said).split("Over time")[0].count(" of DSO grid.example , from") == 2
    assert "There are more claims for this day than are listed." in words(said)
    link = re.search(r'href="([^"]+)">memberships</a>', said)
    assert link
    assert staff.get(link[1]).context["cl"].result_count == 3


def test_it_says_who_decided_what_counts_when_and_why_and_who_follows(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1, first=date(2026, 7, 1))
    conflict = Conflict.objects.get()
    settle(conflict.pk, "give", at=None, source=Source.of_staff("lee", "contract seen"), today=TODAY)

    page = words(page_text(staff, page_of(of_home(1)))).split("Over time")[0]

    by_lee = r"Recorded \d{4}-\d\d-\d\d \d\d:\d\d:\d\d CES?T : lee \(staff\): contract seen"
    assert re.search(rf"AGR one\.example , {TODAY} to 2026-06-30 Effective Adjust {by_lee}", page)
    assert re.search(rf"Later AGR two\.example , 2026-07-01 to {LAST} Effective {by_lee}", page)
    in_july = words(page_text(staff, page_of(of_home(1)) + "?on=2026-07-01")).split("Over time")[0]
    assert "Later" not in in_july


def test_of_the_conflicts_of_a_connection_it_says_which_decisions_are_replaced(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    (first,) = Conflict.objects.all()
    settle(first.pk, "give", at=None, source=Source.of_staff("lee", "letter seen"), today=TODAY)
    assert f"{first.pk} Settled AGR one.example" in words(page_text(staff, page_of(of_home(1))))

    settle_anew(first.pk, "keep", at=None, source=Source.of_staff("lee", "letter was forged"), today=TODAY)

    second = Conflict.objects.latest("pk")
    page = words(page_text(staff, page_of(of_home(1))))
    assert f"{first.pk} Replaced AGR one.example" in page
    assert f"{second.pk} Settled AGR one.example" in page
    for conflict in (first, second):
        conflict.refresh_from_db()
        assert bool(later_decisions(conflict)) == (conflict in replaced_among([second, first]))


def test_on_another_day_it_says_who_has_it_then(staff: Client) -> None:
    represented("one.example", 1)

    page = words(page_text(staff, page_of(of_home(1)) + "?on=2027-01-01"))

    assert "No aggregator represents this connection on this day." in page
    assert "Today" not in page.split("Over time")[0].split("As known")[-1].split("2027-01-01")[1]


def test_C3_refused_days_name_the_decision_and_who_got_them(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    conflict = Conflict.objects.get()
    settle(conflict.pk, "keep", at=None, source=Source.of_staff("lee", "contract seen"), today=TODAY)

    page = page_text(staff, page_of(of_home(1)))

    given = f"Refused given to AGR one.example by lee’s decision in conflict {conflict.pk} : contract seen"
    facts, over_time = words(page).split("Over time")
    assert given in facts
    assert given in over_time, "the history says it too"
    assert f'href="{page_of(conflict)}"' in page
    assert "lee (staff): contract seen" in words(page)


def test_C3_days_refused_by_the_policy_name_who_got_them(staff: Client) -> None:
    earlier = NOW - timedelta(days=1)
    set_policy("representation conflicts", "newest wins", actor="kim", reason="", now=earlier)
    represented("one.example", 1)
    represented("two.example", 1)

    page = words(page_text(staff, page_of(of_home(1))))
    claim = words(page_text(staff, page_of(Representation.objects.get(standing="refused"))))

    assert "Refused given to AGR two.example by the policy “newest wins”" in page
    assert "Days given to: AGR two.example" in claim


def test_as_known_at_a_past_moment(staff: Client) -> None:
    represented("one.example", 1)
    represented("one.example", 1, last=date(2026, 8, 31))
    moments_from(datetime(2026, 5, 1, 10, 0, 30, 500_000, tzinfo=UTC))
    page = page_of(of_home(1))
    until_when = {
        "known_day=2026-04-30": None,
        "known_day=2026-05-01": LAST,
        "known_day=2026-05-01&known_time=11:00": None,
        "known_day=2026-05-01&known_time=12:00:29": None,
        "known_day=2026-05-01&known_time=12:00:30": LAST,
        "known_day=2026-05-02&known_time=12:00:30": date(2026, 8, 31),
    }

    for query, last in until_when.items():
        text = words(page_text(staff, f"{page}?{query}"))
        facts = text.split("Represented by")[1].split("Lies in")[0]
        if last is None:
            assert "Nothing was recorded yet." in facts, query
            assert "nothing was recorded of this connection yet" in text
            assert "the first record is of 2026-05-01 12:00:30 CEST" in text
            assert "No aggregator represents" not in text, "nobody knows who did"
        else:
            assert f"{TODAY} to {last}" in facts, query
            assert "This is what the registry held for true at" in text
    assert "2026-05-01 12:00:30 CEST" in page_text(staff, f"{page}?known_day=2026-05-01&known_time=12:00:30")


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("known_day=2026-06-02", "still to come"),
        ("known_day=2026-06-01&known_time=14:00:01", "still to come"),
        ("known_time=14:00", "Give the day"),
        ("known_day=soon", "not a date"),
        ("on=2026-02-30", "not a date"),
        ("known_day=2026-05-01&known_time=late", "no time of day"),
    ],
)
def test_a_moment_that_makes_no_sense_is_said(staff: Client, query: str, says: str) -> None:
    represented("one.example", 1)

    page = page_text(staff, f"{page_of(of_home(1))}?{query}")

    assert says in page
    assert "held for true at" not in page


def test_today_is_known_up_to_now(staff: Client) -> None:
    represented("one.example", 1)
    moments_from(NOW - timedelta(minutes=1))

    page = words(page_text(staff, f"{page_of(of_home(1))}?known_day=2026-06-01"))

    assert "held for true at 2026-06-01 14:00:00 CEST" in page
    assert "No aggregator" not in page


def test_the_history_is_complete_with_its_sources(staff: Client) -> None:
    first = represented("one.example", 1)
    represented("one.example", 1, last=date(2026, 8, 31))
    declared("grid.example", 1, 1)

    page = page_text(staff, page_of(of_home(1)))
    history = words(page.split('id="history-heading"')[1])

    assert "1 to 3 of 3" in history
    assert history.count("Current") == 2
    assert f'href="/admin/uftp/inboundmessage/{first.pk}/change/"' in page
    assert history.count("AGRPortfolioUpdate of AGR one.example") == 3, "two recorded, one superseded"
    assert history.count("as known then") == 3


def test_a_long_history_comes_in_pages(staff: Client) -> None:
    for day in range(120):
        represented("one.example", 1, last=LAST + timedelta(days=day))

    page = words(page_text(staff, f"{page_of(of_home(1))}?page=2&on=2026-07-01"))

    assert "101 to 120 of 120" in page
    assert "on=2026-07-01&page=1" in page_text(staff, f"{page_of(of_home(1))}?page=2&on=2026-07-01")


def test_pages_ask_as_much_for_much_as_for_little(staff: Client) -> None:
    def asked() -> list[int]:
        numbers = []
        for page in (
            page_of(of_home(1)),
            page_of(of_point(1)),
            page_of(of_home(1)) + "?known_day=2026-05-31",
        ):
            page_text(staff, page)
            with CaptureQueriesContext(connection) as queries:
                page_text(staff, page)
            numbers.append(len(queries))
        return numbers

    def more(agrs: range) -> None:
        for number in agrs:
            represented(f"agr{number}.example", 1)
            declared(f"grid{number}.example", number, 1)
            for each in Conflict.objects.filter(closed_by=None, claimant__domain=f"agr{number}.example"):
                if number % 2:
                    settle(each.pk, "keep", at=None, source=Source.of_staff("lee", "so"), today=TODAY)

    declared("grid.example", 1, *range(1, 6))
    represented("one.example", 1)
    more(range(2, 5))
    few = asked()
    declared("grid.example", 1, *range(1, 150))
    represented("one.example", *range(1, 150))
    more(range(5, 20))

    assert asked() == few


def test_a_congestion_point_counts_who_is_active(staff: Client) -> None:
    declared("grid.example", 1, 1, 2, 3, 4)
    represented("one.example", 1, 2)
    represented("two.example", 2, 3, last=date(2026, 8, 31))

    page = words(page_text(staff, page_of(of_point(1))))
    assert "one.example 2 50.0 % two.example 1 25.0 % no aggregator 1 25.0 %" in page
    assert "1 to 4 of 4" in page
    later = words(page_text(staff, page_of(of_point(1)) + "?on=2026-09-01"))
    assert "one.example 2 50.0 % no aggregator 2 50.0 %" in later
    never = words(page_text(staff, page_of(of_point(1)) + "?on=2026-05-31"))
    assert "none: it does not exist on this day" in never
    assert "This congestion point has no connection on this day." in never


def test_connections_of_another_dso_wait(staff: Client) -> None:
    declared("grid.example", 1, 1)
    set_policy("membership conflicts", "hold", actor="kim")
    declared("other.example", 2, 1, 2)

    page = words(page_text(staff, page_of(of_point(2))))

    assert "1 more is claimed for this day and does not count" in page
    assert "1 to 1 of 1" in page


def test_what_lies_behind_is_to_be_had_as_csv(staff: Client) -> None:
    declared("grid.example", 1, 1, 2, last=LAST)
    represented("one.example", 1, last=None)

    assert csv_of(staff, 1, "connections") == [
        "Connection,First day,Last day,AGR,AGR's first day,AGR's last day",
        f"{home(1)},2026-06-01,2026-12-31,one.example,2026-06-01,",
        f"{home(2)},2026-06-01,2026-12-31,,,",
    ]
    assert csv_of(staff, 1, "aggregators")[1:] == ["one.example,1,50.0", ",1,50.0"]
    assert len(csv_of(staff, 1, "connections", "2027-01-01")) == 1
    assert staff.get(f"{list_of(CongestionPoint)}{of_point(1).pk}/connections.csv?on=soon").status_code == 404


def test_a_congestion_point_as_known_at_a_past_moment(staff: Client) -> None:
    declared("grid.example", 1, 1, 2)
    represented("one.example", 1)
    represented("one.example", 2)
    represented("one.example", 1, last=date(2026, 6, 1))
    declared("grid.example", 1, 1, last=date(2026, 8, 31))
    moments_from(datetime(2026, 5, 1, 10, 0, 30, 500_000, tzinfo=UTC))
    page = page_of(of_point(1))

    def on(query: str) -> str:
        return words(page_text(staff, f"{page}?{query}"))

    before = on("known_day=2026-04-30")
    assert "nothing was recorded of this congestion point yet: the first record is of 2026-05-01" in before
    assert "it does not exist on this day" not in before
    assert "no connection on this day" not in before

    first = on("on=2026-06-02&known_day=2026-05-01&known_time=12:00:30")
    assert "This is what the registry held for true at 2026-05-01 12:00:30 CEST" in first
    assert "no aggregator 2 100 %" in first
    second = on("on=2026-06-02&known_day=2026-05-02&known_time=12:00:30")
    assert "one.example 1 50.0 % no aggregator 1 50.0 %" in second
    third = on("on=2026-06-02&known_day=2026-05-03&known_time=12:00:30")
    assert "one.example 2 100 %" in third
    at_present = on("on=2026-06-02")
    assert "one.example 1 50.0 % no aggregator 1 50.0 %" in at_present
    assert "held for true at" not in at_present
    assert "it does not exist on this day" in on("on=2026-09-01")
    assert "1 to 2 of 2" in on("on=2026-09-01&known_day=2026-05-03&known_time=12:00:30")

    known = "2026-06-02&known_day=2026-05-02&known_time=12:00:30"
    assert csv_of(staff, 1, "aggregators", known)[1:] == ["one.example,1,50.0", ",1,50.0"]
    assert csv_of(staff, 1, "connections", known)[1:] == [
        f"{home(1)},2026-06-01,,one.example,2026-06-01,2026-12-31",
        f"{home(2)},2026-06-01,,,,",
    ]


def test_terms_over_time_come_before_the_connections(staff: Client) -> None:
    declared("grid.example", 1, 1)
    page = page_text(staff, page_of(of_point(1)))
    assert page.index("Terms over time") < page.index("Connections on this day</h2>")


def test_a_limited_dso_is_not_told_foreign_aggregators(db: None) -> None:
    declared("grid.example", 1, 1, 2, 3)
    declared("other.example", 2, 9)
    represented("one.example", 1)
    represented("two.example", 2)
    lee = limited(party("DSO", "grid.example"), party("AGR", "two.example"))

    page = page_text(lee, page_of(of_point(1)))
    assert "two.example 1 33.3 % another aggregator 1 33.3 % no aggregator 1 33.3 %" in words(page)
    assert "one.example" not in page
    assert csv_of(lee, 1, "connections")[1] == f"{home(1)},2026-06-01,,another aggregator,,"
    assert "one.example" not in " ".join(csv_of(lee, 1, "aggregators"))
    page = page_text(lee, page_of(of_home(1)))
    assert "one.example" not in page
    assert "None of the aggregators that you look after claims this day." in page
    assert lee.get(page_of(of_point(2))).status_code == 404
    assert listed(lee, list_of(CongestionPoint)) == {of_point(1).pk}


def suggested(client: Client, model: Any, term: str) -> list[str]:
    found: list[str] = client.get(f"{list_of(model)}suggest/", {"term": term}).json()["results"]
    return found


def test_addresses_are_suggested_by_their_beginning_or_end(staff: Client) -> None:
    declared("grid.example", 1, *range(1, 15))
    declared("other.example", 1, 20)
    declared("other.example", 2, 20)

    assert suggested(staff, Connection, home(1)[:-2]) == [home(number) for number in range(1, 10)]
    assert suggested(staff, CongestionPoint, "ean.8715") == [point(1), point(2)]
    assert suggested(staff, Connection, "") == suggested(staff, Connection, "716") == []
    assert len(suggested(staff, Connection, "8716")) == 10
    assert suggested(staff, Connection, home(14)[-5:]) == [home(14)]
    lee = limited(party("DSO", "other.example"))
    assert suggested(lee, Connection, "ean") == [home(20)]


def test_points_are_found_by_how_much_is_represented(staff: Client) -> None:
    declared("grid.example", 1, 1, 2)
    declared("grid.example", 2, 3, 4)
    represented("one.example", 1)
    assert "Connections have not been counted yet" in page_text(staff, list_of(CongestionPoint))
    coverage.update_coverage(today=TODAY, now=NOW)

    half = next(query for label, _, query in coverage.bands(EVERYONE) if label.startswith("50"))
    assert listed(staff, f"{list_of(CongestionPoint)}?{half}") == {of_point(1).pk}
    page = words(page_text(staff, list_of(CongestionPoint)))
    assert "those of 2026-06-01, counted 2026-06-01 14:00:00 CEST" in page
    assert "2 1 50.0 %" in page
    assert "2 0 0 %" in page


def test_facts_are_found_by_their_days_and_when_they_were_recorded(staff: Client) -> None:
    represented("one.example", 1, first=date(2026, 1, 1), last=date(2026, 3, 31))
    represented("one.example", 2, first=date(2026, 3, 1), last=None)
    early, late = Representation.objects.order_by("pk")
    moments_from(datetime(2026, 2, 1, 23, 30, tzinfo=UTC))
    found = {
        "period_from=2026-04-01": {late},
        "period_to=2026-02-28": {early},
        "period_from=2026-03-31&period_to=2026-03-31": {early, late},
        "period_from=2026-03-31&period_to=2026-03-01": set(),
        "recorded_by__moment_to=2026-02-02": {early},
        "recorded_by__moment_from=2026-02-03": {late},
        f"connection={home(2)}": {late},
        f"connection={home(3)}": set(),
    }

    for query, expected in found.items():
        assert listed(staff, f"{list_of(Representation)}?{query}") == {row.pk for row in expected}, query


def test_a_change_says_what_came_of_it(staff: Client) -> None:
    represented("one.example", 1)
    represented("two.example", 1)
    opened = Change.objects.order_by("pk").last()
    assert opened is not None

    page = page_text(staff, page_of(opened))
    assert ">Result</h2>" in page
    assert "Conflicts opened: 1" in words(page)
    lee = limited(party("AGR", "two.example"))
    assert ">Result</h2>" not in page_text(lee, page_of(opened))


def test_E2_the_page_of_a_connection_says_that_its_check_digit_is_wrong(staff: Client) -> None:
    wrong = Connection.objects.create(address="ean.871685900012636544")
    right = Connection.objects.create(address="ean.871685900012636543")
    said = "The check digit of this EAN is wrong: its last digit would be 3."
    assert said in page_text(staff, page_of(wrong))
    assert said not in page_text(staff, page_of(right))


def test_E1_the_page_of_a_connection_says_that_its_address_is_odd(staff: Client) -> None:
    odd = Connection.objects.create(address="ea1.2026-01.example.grid:feeder\u2028")
    assert "This address has U+2028 at character 32" in page_text(staff, page_of(odd))
