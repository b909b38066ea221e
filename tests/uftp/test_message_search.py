"""The search in the XML of one sender's messages of chosen days, done by a worker."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from tests.registry.admin.pages import message_of, party
from uftp import message_search
from uftp.message_search import SearchRefused
from uftp.models import InboundMessage, MessageSearch, Sender

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
FIRST, LAST = date(2026, 6, 1), date(2026, 6, 7)
EAN = "ean.871685900000000609"


def message(domain: str, content: str, day: int = 3) -> InboundMessage:
    found = message_of(party("AGR", domain))
    xml = content.encode()
    at = datetime(2026, 6, day, 12, tzinfo=UTC)
    InboundMessage.objects.filter(pk=found.pk).update(sealed=bytes(64) + xml, size=len(xml), received_at=at)
    return found


def started(domain: str = "flexa.example", text: str = EAN, **changed: date) -> MessageSearch:
    first, last = changed.get("first", FIRST), changed.get("last", LAST)
    moments = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, last)]
    sender, _ = Sender.objects.get_or_create(role="AGR", domain=domain)
    return message_search.start(
        sender, text, (first, last), (moments[0], moments[1] + timedelta(days=1)), actor="kim", now=NOW
    )


def done(search: MessageSearch) -> MessageSearch:
    message_search.run(search.pk, now=lambda: NOW, stopping=lambda: False)
    search.refresh_from_db()
    return search


def test_it_finds_a_text_in_messages_of_that_sender_on_those_days(db: None) -> None:
    wanted = message("flexa.example", f'<A EntityAddress="{EAN.upper()}"/>')
    message("flexa.example", "<A/>")
    message("flexa.example", f"<A>{EAN}</A>", day=8)
    message("dynamo.example", f"<A>{EAN}</A>")

    search = done(started())

    assert (search.state, search.found, search.read, search.total) == ("done", [wanted.pk], 2, 2)


def test_it_finds_what_xml_writes_otherwise_and_what_lies_across_two_pieces(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uftp.stored_xml.PIECE_BYTES", 10)
    wanted = message("flexa.example", "<Reference>needs &lt;less&gt; &amp; later</Reference>")

    assert done(started(text="<less> & later")).found == [wanted.pk]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("CAFÉ ÄPFEL", "<Reference>café äpfel</Reference>"),
        ("café äpfel", "<Reference>CAFÉ ÄPFEL</Reference>"),
        ("STRASSE", "<Reference>Hauptstraße</Reference>"),
        ("l'été", "<Reference>l&apos;&#233;t&#xE9;</Reference>"),
        ('"quoted"', '<A Reference="&quot;quoted&quot;"/>'),
        ("<Reference>raw", "<Reference>Raw</Reference>"),
    ],
)
def test_it_compares_letters_of_any_language_in_any_case(
    db: None, monkeypatch: pytest.MonkeyPatch, text: str, written: str
) -> None:
    monkeypatch.setattr("uftp.stored_xml.PIECE_BYTES", 7)
    wanted = message("flexa.example", f"<M>{written}</M>")

    assert done(started(text=text)).found == [wanted.pk]


def test_it_finds_the_newest_first_and_says_where(db: None, client: Client) -> None:
    def portfolio(inside: str) -> str:
        return f'<u:AGRPortfolioUpdate xmlns:u="urn:x">{inside}</u:AGRPortfolioUpdate>'

    old = message("flexa.example", portfolio(f'<Connection EntityAddress="{EAN}"/>'), day=2)
    new = message("flexa.example", portfolio(f"<Reference>of {EAN.upper()}</Reference>"), day=5)
    middle = message("flexa.example", portfolio(f"<!-- {EAN} -->"), day=3)

    search = done(started())

    assert search.found == [new.pk, middle.pk, old.pk]
    assert search.places == ["text of Reference", "", "EntityAddress of Connection"]
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    page = client.get(f"/admin/uftp/messagesearch/{search.pk}/progress/").content.decode()
    places = ["text of Reference", "the XML as it is written", "EntityAddress of Connection"]
    assert [page.index(place) for place in places] == sorted(page.index(place) for place in places)


def test_at_its_bound_it_has_the_newest(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_search, "MAX_FOUND", 1)
    message("flexa.example", EAN, day=2)
    newest = message("flexa.example", EAN, day=4)

    assert done(started()).found == [newest.pk]


def test_one_that_is_interrupted_goes_on_where_it_was(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_search, "BATCH_MESSAGES", 2)
    keys = [message("flexa.example", EAN).pk for _ in range(5)]
    search = started()
    rounds = iter([False, False, True])

    message_search.run(search.pk, now=lambda: NOW, stopping=lambda: next(rounds))
    search.refresh_from_db()
    assert (search.state, search.read, search.total) == ("running", 2, 5)
    assert message_search.is_waiting()

    assert done(search).found == keys[::-1]
    assert not message_search.is_waiting()


@pytest.mark.parametrize(
    ("bound", "value"), [("MAX_MESSAGES", 2), ("MAX_BYTES", 2 * len(EAN)), ("MAX_FOUND", 2)]
)
def test_it_ends_at_its_bounds(db: None, monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    monkeypatch.setattr(message_search, bound, value)
    for _ in range(4):
        message("flexa.example", EAN)

    search = done(started())

    assert (search.state, search.read) == ("cut", 2)


def test_too_many_days_or_searches_are_refused(db: None) -> None:
    with pytest.raises(SearchRefused, match="at most 31 days"):
        started(last=FIRST + timedelta(days=31))
    with pytest.raises(SearchRefused, match="before the first"):
        started(last=FIRST - timedelta(days=1))
    started()
    with pytest.raises(SearchRefused, match="Another search of yours is not done yet"):
        started()
    MessageSearch.objects.update(actor="lee")
    for number in range(message_search.MAX_UNFINISHED - 1):
        started()
        MessageSearch.objects.update(actor=f"lee {number}")
    with pytest.raises(SearchRefused, match="Too many searches wait"):
        started()


def test_staff_start_it_and_see_how_far_it_is(db: None, client: Client) -> None:
    wanted = message("flexa.example", EAN)
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    said = {"text": EAN, "sender": "agr flexa.example", "first": str(FIRST), "last": str(LAST)}

    answer = client.post("/admin/uftp/messagesearch/start/", said)

    search = MessageSearch.objects.get()
    assert answer["Location"] == f"/admin/uftp/messagesearch/{search.pk}/change/"
    progress = f"/admin/uftp/messagesearch/{search.pk}/progress/"
    assert f'data-poll="{progress}"' in client.get(answer["Location"]).content.decode()
    done(search)
    page = client.get(progress).content.decode()
    assert "data-poll" not in page
    assert "1 of 1 messages read; 1 found." in page
    assert f"/admin/uftp/inboundmessage/{wanted.pk}/change/" in page


def test_the_last_day_of_the_calendar_is_searched_too(db: None, client: Client) -> None:
    message("flexa.example", EAN)
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    said = {"text": EAN, "sender": "agr flexa.example", "first": "9999-12-30", "last": "9999-12-31"}

    answer = client.post("/admin/uftp/messagesearch/start/", said)

    assert answer["Location"] == f"/admin/uftp/messagesearch/{MessageSearch.objects.get().pk}/change/"


def test_limited_staff_search_messages_of_their_participants_alone(db: None, client: Client) -> None:
    message("flexa.example", EAN)
    message("dynamo.example", EAN)
    user = User.objects.create_user("lee", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO participant manager"))
    assign_perm("participants.view_participant", user, party("AGR", "dynamo.example"))
    client.force_login(user)
    others = started()
    said = {"text": EAN, "first": str(FIRST), "last": str(LAST)}

    refused = client.post("/admin/uftp/messagesearch/start/", {**said, "sender": "AGR flexa.example"})
    nobody = client.post("/admin/uftp/messagesearch/start/", {**said, "sender": "AGR nobody.example"})
    own = client.post("/admin/uftp/messagesearch/start/", {**said, "sender": "AGR dynamo.example"})

    assert "No message of this participant has come" in refused.content.decode()
    assert "No message of this participant has come" in nobody.content.decode()
    assert own.status_code == 302
    assert client.get(f"/admin/uftp/messagesearch/{others.pk}/change/").status_code == 404
    assert "flexa" not in client.get("/admin/uftp/messagesearch/").content.decode()
