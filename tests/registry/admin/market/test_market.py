"""The market on the screens: shown, and changed in a second step that says what it means."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from participants.models import AuditEntry
from registry.admin.market.market import _meaning
from registry.market.market import market
from registry.models import Market
from tests.registry.admin.pages import visible_text

MARKET = "/admin/registry/market/1/change/"
LONDON = {"time_zone": "Europe/London", "isp_duration": "PT30M"}


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def test_a_change_is_shown_with_what_it_means_and_made_for_a_reason(staff: Client) -> None:
    assert staff.get("/admin/registry/market/").headers["Location"] == MARKET
    assert "From the start: nobody has set it." in visible_text(staff.get(MARKET))

    asked = visible_text(staff.post(MARKET, LONDON))
    assert "Europe/Amsterdam → Europe/London" in asked
    assert "All that is registered keeps its dates, but its days begin and end at other moments" in asked
    assert "TimeZone rejected" in asked
    assert "An ISP lasts PT30M instead of PT15M." in asked
    assert "Say why" in visible_text(staff.post(MARKET, LONDON | {"sure": "yes", "reason": ""}))
    assert market().time_zone == "Europe/Amsterdam"

    done = staff.post(MARKET, LONDON | {"sure": "yes", "reason": "moved"}, follow=True)
    assert "Times in Europe/London" in visible_text(done)
    assert "set by kim: moved" in visible_text(done)
    assert (market().time_zone, market().isp_duration) == ("Europe/London", "PT30M")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("kim", "set market", "moved")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
        ({"isp_duration": "PT7M"}, "Select a valid choice"),
        ({"time_zone": "Europe/Amsterdam", "isp_duration": "PT15M"}, "Nothing changes"),
    ],
)
def test_a_market_that_cannot_be_is_refused(staff: Client, wrong: dict[str, str], said: str) -> None:
    answer = staff.post(MARKET, LONDON | {"sure": "yes", "reason": "moved"} | wrong)

    assert said in visible_text(answer)
    assert market().time_zone == "Europe/Amsterdam"


def test_a_zone_with_the_same_time_moves_no_day() -> None:
    """Berlin's time is Amsterdam's; in Auckland it is tomorrow already."""
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    amsterdam = Market(time_zone="Europe/Amsterdam", isp_duration="PT15M")

    (same, _) = _meaning(amsterdam, {"time_zone": "Europe/Berlin", "isp_duration": "PT15M"}, noon)

    assert "days begin and end when they do now" in same


@pytest.mark.django_db
def test_a_zone_with_another_time_moves_days() -> None:
    noon = datetime(2026, 7, 1, 13, tzinfo=UTC)
    amsterdam = Market(time_zone="Europe/Amsterdam", isp_duration="PT15M")

    said = " ".join(_meaning(amsterdam, {"time_zone": "Pacific/Auckland", "isp_duration": "PT15M"}, noon))

    assert (
        "2026-12-30 begins at 2026-12-29 23:00 UTC at present, and would begin at 2026-12-29 11:00 UTC"
        in said
    )
    assert "Today is 2026-07-01 at present, and would be 2026-07-02 at once." in said


def test_who_may_only_look_has_no_form(client: Client, db: None) -> None:
    lee = User.objects.create_user("lee", is_staff=True)
    lee.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(lee)

    assert "Europe/Amsterdam" in visible_text(client.get(MARKET))
    assert 'name="isp_duration"' not in client.get(MARKET).content.decode()
    assert client.post(MARKET, LONDON | {"sure": "yes", "reason": "fun"}).status_code == 403
    assert market().time_zone == "Europe/Amsterdam"


def test_there_is_one_market(staff: Client) -> None:
    assert staff.get("/admin/registry/market/add/").status_code == 403
    assert staff.get("/admin/registry/market/2/change/").status_code == 404
    assert staff.post("/admin/registry/market/1/delete/", {"post": "yes"}).status_code == 403
