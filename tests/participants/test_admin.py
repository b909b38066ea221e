"""The operator's screens, through HTTP requests of a member of staff."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from participants.admission import current_mode
from participants.models import AuditEntry, Mode, Participant
from tests.participants.conftest import NOW, AddParticipant, key_text, raw_key

LIST = "/admin/participants/participant/"
MODE = "/admin/participants/mode/1/change/"
MARKET = ZoneInfo("Europe/Amsterdam")
"""The zone in which staff see and enter times, unless another is set."""


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    Mode.objects.get_or_create()
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def form(participant: Participant | None = None, **values: str) -> dict[str, str]:
    """What the participant's form posts, with `values` in the place of what is stored."""
    posted = {
        "role": "AGR",
        "domain": "agr.example",
        "name": "",
        "standing": "authorized",
        "endpoint": "",
        "placeholders": "on",
        "reason": "",
    }
    keys = list(participant.keys.all()) if participant else []
    for number, key in enumerate(keys):
        posted |= {
            f"keys-{number}-id": str(key.pk),
            f"keys-{number}-participant": str(key.participant_id),
            f"keys-{number}-valid_from_0": f"{key.valid_from.astimezone(MARKET):%Y-%m-%d}",
            f"keys-{number}-valid_from_1": f"{key.valid_from.astimezone(MARKET):%H:%M:%S}",
            f"keys-{number}-valid_until_0": "",
            f"keys-{number}-valid_until_1": "",
        }
    posted |= {"keys-INITIAL_FORMS": str(len(keys)), "keys-TOTAL_FORMS": str(len(keys))}
    return posted | values


def errors(page: bytes) -> str:
    """The errors that a page shows."""
    return " ".join(re.findall(r'class="errorlist[^>]*>(.*?)</ul>', page.decode(), re.DOTALL))


def change(participant: Participant) -> str:
    return f"{LIST}{participant.pk}/change/"


def test_add_a_participant_with_a_key(staff: Client) -> None:
    answer = staff.post(LIST + "add/", form(**{"keys-TOTAL_FORMS": "1", "keys-0-text": key_text(1)}))

    assert answer.status_code == 302, errors(answer.content)
    participant = Participant.objects.get()
    assert bytes(participant.keys.get().value) == raw_key(1)
    assert [(entry.actor, entry.action) for entry in AuditEntry.objects.all()] == [
        ("kim", "added public key"),
        ("kim", "added participant"),
    ]


REFUSED = {
    "domain": ({"domain": "AGR.example"}, "is not a domain"),
    "own domain": ({"domain": "cro.example"}, "own domain"),
    "endpoint": ({"endpoint": "ftp://agr.example/"}, "https"),
    "key": ({"keys-TOTAL_FORMS": "1", "keys-0-text": "secret"}, "Base64"),
    "key twice": (
        {"keys-TOTAL_FORMS": "2", "keys-0-text": key_text(1), "keys-1-text": " " + key_text(1)},
        "given twice",
    ),
    "another's key": ({"keys-TOTAL_FORMS": "1", "keys-0-text": key_text(9)}, "the key of DSO grid.example"),
}


@pytest.mark.parametrize(("values", "said"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_clear_message(
    staff: Client, add_participant: AddParticipant, values: dict[str, str], said: str
) -> None:
    add_participant("DSO", "grid.example", public_key=key_text(9))

    answer = staff.post(LIST + "add/", form(**values))

    assert answer.status_code == 200
    assert said in errors(answer.content)
    assert not Participant.objects.filter(role="AGR").exists()


def test_a_change_of_standing_needs_a_reason(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    refused = staff.post(change(participant), form(participant, standing="barred"))
    assert "Say why" in errors(refused.content)
    assert Participant.objects.get().standing == "authorized"

    taken = staff.post(change(participant), form(participant, standing="barred", reason="fraud"))
    assert taken.status_code == 302, errors(taken.content)
    assert Participant.objects.get().standing == "barred"
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.actor, entry.reason, entry.after) == ("kim", "fraud", {"standing": "barred"})


def test_another_change_needs_none(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    answer = staff.post(change(participant), form(participant, endpoint="https://agr.example/in"))

    assert answer.status_code == 302, errors(answer.content)
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.before, entry.after) == ({"endpoint": ""}, {"endpoint": "https://agr.example/in"})


def test_role_and_domain_stay(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    staff.post(change(participant), form(participant, role="DSO", domain="other.example", name="Agr"))

    participant.refresh_from_db()
    assert (participant.role, participant.domain, participant.name) == ("AGR", "agr.example", "Agr")


def test_withdraw_a_key_and_leave_its_text(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    end = NOW + timedelta(days=1)
    values = {
        "keys-0-text": key_text(5),
        "keys-0-valid_until_0": f"{end.astimezone(MARKET):%Y-%m-%d}",
        "keys-0-valid_until_1": f"{end.astimezone(MARKET):%H:%M:%S}",
    }

    answer = staff.post(change(participant), form(participant, **values))

    assert answer.status_code == 302, errors(answer.content)
    key = participant.keys.get()
    assert (key.text, key.valid_until) == (key_text(1), end)
    assert AuditEntry.objects.filter(action="changed public key").count() == 1


def test_a_key_cannot_end_before_it_begins(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    values = {"keys-0-valid_until_0": "2020-01-01", "keys-0-valid_until_1": "00:00:00"}

    answer = staff.post(change(participant), form(participant, **values))

    assert "cannot end before it begins" in errors(answer.content)


def test_the_list_is_searched_and_filtered(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    add_participant("DSO", "grid.example", public_key=key_text(2), standing="suspended")
    shown = {
        "": {"agr.example", "grid.example"},
        "?q=grid": {"grid.example"},
        f"?q={key_text(1)[:12]}": {"agr.example"},
        "?role__exact=AGR": {"agr.example"},
        "?standing__exact=suspended": {"grid.example"},
    }

    for query, domains in shown.items():
        page = staff.get(LIST + query).content.decode()
        assert set(re.findall(r'<th class="field-domain"><a[^>]*>(.*?)</a>', page)) == domains, query


def test_participants_are_not_deleted(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    assert staff.post(f"{LIST}{participant.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "delete_selected" not in staff.get(LIST).content.decode()


def test_set_the_mode_with_a_reason(staff: Client) -> None:
    refused = staff.post(MODE, {"value": "closed", "reason": ""})
    assert "Say why" in errors(refused.content)
    assert current_mode() == "open"

    assert staff.post(MODE, {"value": "closed", "reason": "end of trial"}).status_code == 302
    assert current_mode() == "closed"
    assert AuditEntry.objects.get().reason == "end of trial"


def test_the_mode_is_one_row(staff: Client) -> None:
    assert staff.get("/admin/participants/mode/").status_code == 200
    assert staff.get("/admin/participants/mode/add/").status_code == 403
    assert staff.post("/admin/participants/mode/1/delete/", {"post": "yes"}).status_code == 403


def test_audit_entries_are_read_only(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    entry = AuditEntry.objects.latest("id")
    page = f"/admin/participants/auditentry/{entry.pk}/change/"

    assert staff.get(page).status_code == 200
    assert staff.post(page, {"actor": "nobody"}).status_code == 403
    assert staff.get("/admin/participants/auditentry/add/").status_code == 403
    assert staff.post(page.replace("change", "delete"), {"post": "yes"}).status_code == 403


def test_audit_entries_are_searched(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    add_participant("DSO", "grid.example", public_key=None)

    page = staff.get("/admin/participants/auditentry/?q=DSO grid").content.decode()

    assert "DSO grid.example" in page
    assert "AGR agr.example" not in page


def test_staff_who_may_only_look(client: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    Mode.objects.get_or_create()
    viewer = User.objects.create_user("lee", password="lee", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__regex="^(view|for_every)_"))
    client.force_login(viewer)

    for page in (LIST, change(participant), MODE, "/admin/participants/auditentry/"):
        assert client.get(page).status_code == 200, page
    assert client.post(change(participant), form(participant, name="Agr")).status_code == 403
    assert client.post(MODE, {"value": "closed", "reason": "for fun"}).status_code == 403


def test_one_that_is_being_added_has_no_past(staff: Client, add_participant: AddParticipant) -> None:
    assert "Created" not in staff.get(LIST + "add/").content.decode()
    assert "DatabaseDefault" not in staff.get(LIST + "add/").content.decode()

    assert "Created:" in staff.get(change(add_participant())).content.decode()


def test_the_page_of_a_thing_leads_to_the_audit_entries_about_it(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant()
    add_participant("AGR", "agr.example.org", public_key=None)
    assert "historylink" not in staff.get(MODE).content.decode()
    staff.post(MODE, {"value": "closed", "reason": "end of trial"})

    for page, subject in ((change(participant), "AGR+agr.example"), (MODE, "mode")):
        shown = staff.get(page).content.decode()
        assert f'href="/admin/participants/auditentry/?subject={subject}" class="historylink"' in shown
    listed = staff.get("/admin/participants/auditentry/?subject=AGR agr.example").content.decode()
    assert "added public key" in listed
    assert "AGR agr.example.org" not in listed


def test_audit_entries_say_what_changed(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    staff.post(change(participant), form(participant, standing="barred", reason="fraud"))

    for page in ("", f"{AuditEntry.objects.latest('id').pk}/change/"):
        shown = staff.get(f"/admin/participants/auditentry/{page}").content.decode()
        assert "standing: authorized → barred" in shown
    assert "valid from: 20" in staff.get("/admin/participants/auditentry/").content.decode()


def test_a_reason_is_marked_where_saving_demands_it(staff: Client, add_participant: AddParticipant) -> None:
    assert 'class="required" for="id_reason"' in staff.get(MODE).content.decode()
    assert "required where the standing changes" in staff.get(change(add_participant())).content.decode()
    assert 'class="required" for="id_reason"' not in staff.get(LIST + "add/").content.decode()


def test_the_days_of_a_key_look_like_all_days(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    begin = participant.keys.get().valid_from.astimezone(MARKET)

    assert f'value="{begin:%Y-%m-%d}"' in staff.get(change(participant)).content.decode()
