"""The dashboard through HTTP: each figure is the number of rows of the list that it leads to."""

import html
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants.models import Participant
from tests.browser.support import market as markets
from tests.browser.support.market import Market
from uftp.models import InboundMessage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market(transactional_db: None, stop_clock: Callable[[datetime], None]) -> Market:
    stop_clock(markets.NOW)
    return markets.market()


def member(group: str, *participants: Participant) -> Client:
    """A member of staff in `group`, limited to `participants` where the group does not act for everybody."""
    user = User.objects.create_user(group, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    for participant in participants:
        assign_perm("participants.change_participant", user, participant)
    client = Client()
    client.force_login(user)
    return client


def figures(client: Client) -> dict[str, str]:
    """The address of each figure's list, by what the figure says of itself."""
    page = client.get("/admin/").content.decode()
    links = re.findall(r'<a (?:class="figure" )?href="([^"]+)" aria-label="([^"]+)">', page)
    cells = re.findall(r'<td class="number"><a href="([^"]+)">([0-9,]+)</a>', page)
    return {
        **{text: html.unescape(url) for url, text in links if re.search(r"\d", text)},
        **{f"{url}: {text}": html.unescape(url) for url, text in cells},
    }


def rows_in_list(client: Client, url: str) -> int:
    """How many rows the list at `url` has."""
    answer = client.get(url)
    assert answer.status_code == 200, url
    return int(answer.context["cl"].result_count)


def number(text: str) -> int:
    found = re.search(r"(?:: |^)([0-9,]+)(?: open conflicts)?$", text)
    assert found, text
    return int(found[1].replace(",", ""))


def test_each_figure_is_the_number_of_rows_of_its_list(market: Market) -> None:
    """For an operator, for one who looks after a single participant, and for those who may look at nothing."""
    operator = member("CRO operator")
    found = figures(operator)
    assert len(found) > 20
    assert {text: number(text) for text in found} == {
        text: rows_in_list(operator, url) for text, url in found.items()
    }
    assert {"17 open conflicts", "Messages set aside: 1", "Refused requests in 24 hours: 1"} < set(found)

    limited = member("CRO participant manager", market.participants["kustnet.example"])
    found = figures(limited)
    assert {text: number(text) for text in found} == {
        text: rows_in_list(limited, url) for text, url in found.items()
    }
    assert {"2 open conflicts", "Deliveries failed: 2", "Reservation updates undone: 1"} < set(found)
    assert "Contracts in draft: 1" not in found
    assert not [text for text in found if "buurtstroom" in text or "set aside" in text]

    nobody = Client()
    nobody.force_login(User.objects.create_user("lee", is_staff=True))
    assert figures(nobody) == {}
    assert (
        "Your account may not see anything yet: it is in no group" in nobody.get("/admin/").content.decode()
    )


def test_messages_of_the_last_24_hours_are_counted(market: Market) -> None:
    client = member("CRO operator")

    def received() -> str:
        page = client.get("/admin/").content.decode()
        words = page.split('?received_at_recent=24h">')[1].split("<")[0]
        return words.removeprefix("Messages received in the last 24 hours: ")

    assert received() == "23"
    early = InboundMessage.objects.filter(pk=InboundMessage.objects.earliest("received_at").pk)
    early.update(received_at=markets.NOW - timedelta(hours=24, minutes=1))
    assert received() == "23"
    early.update(received_at=markets.NOW - timedelta(hours=23, minutes=59))
    assert received() == "24"


def test_the_first_page_says_what_to_do_first(db: None) -> None:
    assert "Nobody is registered yet." in member("CRO operator").get("/admin/").content.decode()
    limited = member("CRO participant manager").get("/admin/").content.decode()
    assert "Your account has no participant in its scope yet" in limited
    assert "First steps" not in limited


def test_what_is_urgent_comes_first_and_zeros_are_folded(market: Market) -> None:
    """An update that is undone weighs more than participants never heard from."""
    page = member("CRO operator").get("/admin/").content.decode()
    card = page[page.index('id="card-waiting"') : page.index("</section>", page.index('id="card-waiting"'))]
    shown, _, folded = card.partition('<details class="zeros">')

    texts = re.findall(r"<dt>(?:<a [^>]+>)?([^<]+)(?:</a>)?</dt>", shown)
    urgent = [text for text in texts if re.search(rf"{text}: .{{0,20}}<span class=\"badge bad\"", shown)]
    assert texts.index("Reservation updates undone") < texts.index("Contracts in draft")
    assert texts.index("Contracts in draft") < texts.index("Participants never heard from")
    assert texts[: len(urgent)] == urgent or not urgent
    folded, _, _ = folded.partition("</details>")
    assert "<dd>0</dd>" not in shown
    assert "Imports to approve" in folded
    assert folded.count("<dd>0</dd>") == len(re.findall("<dt>", folded)) > 0


def test_the_words_beside_a_number_lead_where_the_number_does(market: Market) -> None:
    page = member("CRO operator").get("/admin/").content.decode()

    pairs = re.findall(
        r'<dt><a href="([^"]+)" tabindex="-1">([^<]+)</a>.*?</dt><dd><a href="([^"]+)"', page, re.S
    )

    assert len(pairs) == page.count("<dd><a ")
    assert "Contracts in draft" in [words for _, words, _ in pairs]
    assert all(of_words == of_number for of_words, _, of_number in pairs)
    heading = (
        r'<h2 id="card-messages"><a href="[^"]+">Messages received in the last 24 hours: [\d,]+</a></h2>'
    )
    assert re.search(heading, page)


def test_staff_see_how_many_participants_discovery_has_recorded(market: Market, settings: Any) -> None:
    """It is urgent when discovery records no more. A participant that has a key here, or is authorized, is no such."""
    settings.DISCOVERY_DNS, settings.DISCOVERY_MAX_PARTICIPANTS = True, 3
    for number_of_it in range(2):
        Participant.objects.create(role="AGR", domain=f"new{number_of_it}.example", standing="known")
    operator = member("CRO operator")
    text = "Known by discovery alone, of 3 at most: 2"
    assert rows_in_list(operator, figures(operator)[text]) == 2

    Participant.objects.create(role="DSO", domain="new.example", standing="known")
    text = "Known by discovery alone: no more than 3 are recorded: 3"
    assert rows_in_list(operator, figures(operator)[text]) == 3
    limited = member("CRO participant manager", market.participants["kustnet.example"])
    assert not [text for text in figures(limited) if "discovery" in text]
    settings.DISCOVERY_DNS = False
    assert not [text for text in figures(operator) if "discovery" in text]
