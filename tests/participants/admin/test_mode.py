"""The mode on the screens: what it is, and the switch that shows whom it concerns and asks again."""

from django.test import Client

from participants.admission import current_mode
from participants.models import AuditEntry
from tests.participants.conftest import AddParticipant, errors, text_of
from tests.support.exchange import receive
from tests.support.peer import Peer

MODE = "/admin/participants/mode/1/change/"
CLOSE, OPEN = "/admin/participants/mode/1/switch/closed/", "/admin/participants/mode/1/switch/open/"


def test_the_mode_is_one_page(staff: Client) -> None:
    listed = staff.get("/admin/participants/mode/", follow=True)
    assert listed.redirect_chain == [(MODE, 302)]
    assert "Open in force" in text_of(listed.content)
    assert "From the start: nobody has set it." in text_of(listed.content)
    assert staff.get("/admin/participants/mode/add/").status_code == 403
    assert staff.get("/admin/participants/mode/2/change/").status_code == 404
    assert staff.post("/admin/participants/mode/1/delete/", {"post": "yes"}).status_code == 403


def test_closing_shows_whom_it_concerns_and_asks_why(staff: Client) -> None:
    known, authorized = Peer(domain="known.example"), Peer(domain="authorized.example")
    known.register(standing="known")
    authorized.register()
    for peer in (known, known, authorized):
        receive(peer, peer.xml())

    text = text_of(staff.get(CLOSE).content)
    assert "1 known participant will no longer be able to act." in text
    assert "2 messages of theirs wait to be handled and will be rejected" in text
    assert "AGR known.example" in text
    assert "AGR authorized.example" not in text
    assert "Say why" in errors(staff.post(CLOSE, {"reason": ""}).content)
    assert current_mode() == "open"

    done = staff.post(CLOSE, {"reason": "end of trial"}, follow=True)
    assert "This CRO is closed." in text_of(done.content)
    assert "set by kim : end of trial" in text_of(done.content).replace("kim:", "kim :")
    assert current_mode() == "closed"
    entry = AuditEntry.objects.get(action="set mode")
    assert (entry.actor, entry.before, entry.after, entry.reason) == (
        "kim",
        {"mode": "open"},
        {"mode": "closed"},
        "end of trial",
    )


def test_opening_shows_who_gains(staff: Client, add_participant: AddParticipant) -> None:
    staff.post(CLOSE, {"reason": "end of trial"})
    add_participant(standing="known")

    assert "1 known participant will be able to act again." in text_of(staff.get(OPEN).content)
    staff.post(OPEN, {"reason": "another trial"})

    assert current_mode() == "open"


def test_the_second_of_two_who_switch_is_told(staff: Client) -> None:
    staff.post(CLOSE, {"reason": "end of trial"})

    again = staff.post(CLOSE, {"reason": "me too"}, follow=True)

    assert "This CRO is closed already: set by kim" in text_of(again.content)
    assert AuditEntry.objects.filter(action="set mode").count() == 1


def test_who_may_only_look_has_no_switch(viewer: Client) -> None:
    assert CLOSE not in viewer.get(MODE).content.decode()
    assert viewer.get(CLOSE).status_code == 403
    assert viewer.post(CLOSE, {"reason": "for fun"}).status_code == 403
    assert viewer.post(MODE, {"value": "closed", "reason": "for fun"}).status_code == 403


def test_there_is_no_third_mode(staff: Client) -> None:
    assert staff.get("/admin/participants/mode/1/switch/ajar/").status_code == 404
