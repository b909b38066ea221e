"""The dashboard's trends: what there was on each of the last 90 days, counted ahead."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants.admin_base import extensions
from participants.daily_counts import DAYS, MAX_DAYS_A_RUN, trend, update_daily_counts
from participants.models import DailyCount
from participants.scope import EVERYONE, Scope
from registry.models import Change
from registry.queries.daily_counts import OPENED
from tests.registry.admin.pages import message_of, party, represented
from uftp.daily_counts import DELIVERED, REJECTED
from uftp.models import InboundMessage, OutboundMessage

ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = date(2026, 6, 1)


def count(now: datetime = NOW) -> list[date]:
    return update_daily_counts(extensions.daily_counts(), now=now, zone=ZONE)


def sent(at: datetime, seconds: float, domain: str = "flexa.example") -> None:
    number = OutboundMessage.objects.count()
    OutboundMessage.objects.create(
        recipient_role="AGR",
        recipient_domain=domain,
        message_type="TestMessage",
        version="3.1.0",
        message_id=f"00000000-0000-4000-9000-{number:012d}",
        conversation_id="00000000-0000-4000-9000-000000000000",
        sealed=bytes(64),
        size=0,
        created_at=at,
        state="delivered",
        give_up_at=at + timedelta(days=1),
        finished_at=at + timedelta(seconds=seconds),
    )


@pytest.fixture
def day(db: None) -> None:
    """Today two conflicts opened, one message was rejected, and four were delivered."""
    represented("flexa.example", 1, 2, 3)
    represented("dynamo.example", 1, 2)
    Change.objects.update(moment=NOW)
    rejected = message_of(party("AGR", "dynamo.example"))
    InboundMessage.objects.filter(pk=rejected.pk).update(result="Rejected", received_at=NOW)
    for seconds in (1, 30, 600, 7_200):
        sent(NOW, seconds)


def test_a_day_is_counted_by_what_happened_on_it(day: None) -> None:
    sent(datetime(2026, 5, 31, 21, 59, 59, tzinfo=UTC), 1)  # 23:59:59 in the market
    sent(datetime(2026, 5, 31, 22, tzinfo=UTC), 1)  # midnight in the market

    count()

    measures = [OPENED, REJECTED, *(name for name, _ in DELIVERED)]
    found = trend(EVERYONE, measures)
    assert list(found[TODAY].values()) == [2, 1, 2, 1, 1, 1]
    assert list(found[TODAY - timedelta(days=1)].values()) == [0, 0, 1, 0, 0, 0]


def test_a_participant_s_numbers_are_its_own(day: None) -> None:
    count()

    def of(*domains: str) -> list[int]:
        ids = frozenset(party("AGR", domain).pk for domain in domains)
        return list(trend(Scope(ids=ids), [OPENED, REJECTED, DELIVERED[0][0]])[TODAY].values())

    assert of("flexa.example") == [2, 0, 1]
    assert of("dynamo.example") == [2, 1, 0]
    assert of("else.example") == [0, 0, 0]


def test_days_that_are_over_are_counted_once_and_old_ones_forgotten(day: None) -> None:
    assert len(count()) == MAX_DAYS_A_RUN
    for _ in range(DAYS // MAX_DAYS_A_RUN + 1):
        count()
    assert DailyCount.objects.values("day").distinct().count() == DAYS
    assert count() == [TODAY]

    later = NOW + timedelta(days=1)
    assert count(later) == [TODAY + timedelta(days=1), TODAY]
    assert count(later) == [TODAY + timedelta(days=1)]
    assert not DailyCount.objects.filter(day__lte=TODAY - timedelta(days=DAYS - 1)).exists()


def test_the_dashboard_draws_them_for_those_who_may_look(
    day: None, client: Client, stop_clock: Callable[[datetime], None]
) -> None:
    stop_clock(NOW)
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    page = client.get("/admin/").content.decode()
    assert "Not counted yet: the worker counts every 10 minutes, next at 2026-06-01 14:10:00 CEST." in page
    assert "Conflicts opened" not in page
    count()

    page = client.get("/admin/").content.decode()

    assert "2 in all; most on 2026-06-01: 2." in page
    assert "1 in all; most on 2026-06-01: 1." in page
    assert "4 in all: 25.0 % within 10 seconds, 25.0 % in 10 to 60 seconds" in page
    assert "Counted so far: 10 of 90 days, from 2026-05-23 on. The others follow: the worker" in page
    limited = User.objects.create_user("lee", is_staff=True)
    limited.groups.add(Group.objects.get(name="CRO participant manager"))
    assign_perm("participants.view_participant", limited, party("AGR", "else.example"))
    client.force_login(limited)
    page = client.get("/admin/").content.decode()
    assert "Conflicts opened: none on the 10 days counted so far." in page
    assert "in all" not in page


def test_a_trend_without_anything_says_what_is_not_counted_yet(
    db: None, client: Client, stop_clock: Callable[[datetime], None]
) -> None:
    """Beside it, the open conflicts are counted at once."""
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    party("AGR", "flexa.example")
    stop_clock(NOW)
    count(NOW - timedelta(days=1))

    page = client.get("/admin/").content.decode()
    assert "Conflicts opened: none on the 10 days counted so far. Today is not counted yet." in page

    count()
    represented("flexa.example", 1)
    represented("dynamo.example", 1)
    Change.objects.update(moment=NOW)
    page = client.get("/admin/").content.decode()
    assert 'aria-label="Opened today: 1"' in page
    assert "counted so far. The latest 10 minutes of today are not counted yet." in page

    count()
    page = client.get("/admin/").content.decode()
    assert "Conflicts opened on each day" in page
    assert "1 in all; most on 2026-06-01: 1.<" in page


def test_a_day_without_late_deliveries_says_nothing_of_them(db: None, client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    party("AGR", "flexa.example")
    for seconds in (1, 2, 3):
        sent(NOW, seconds)
    for _ in range(DAYS // MAX_DAYS_A_RUN + 1):
        count()

    page = client.get("/admin/").content.decode()

    assert "3 in all: 100.0 % within 10 seconds; most on 2026-06-01: 3." in page
    assert "Counted every 10 minutes." in page
    assert "Conflicts opened: none." in page


def test_a_share_of_very_few_is_not_nothing_and_the_rest_is_not_all(db: None, client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    party("AGR", "flexa.example")
    numbers = {DELIVERED[0][0]: 99_999, DELIVERED[3][0]: 1, "counted": 1}
    DailyCount.objects.bulk_create(
        DailyCount(day=TODAY, measure=measure, number=number) for measure, number in numbers.items()
    )

    page = client.get("/admin/").content.decode()

    assert "100,000 in all: 99.9 % within 10 seconds, 0.1 % later" in page
