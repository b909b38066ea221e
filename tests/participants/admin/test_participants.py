"""The list of participants, the page of one, adding and editing, through HTTP requests of a member of staff."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from participants.models import AuditEntry, Participant
from tests.participants.conftest import (
    LIST,
    NOW,
    AddParticipant,
    errors,
    key_text,
    page_of,
    raw_key,
    text_of,
)

ADDED = {
    "role": "AGR",
    "domain": "agr.example",
    "name": "Agr",
    "standing": "authorized",
    "public_key": "",
    "endpoint": "",
    "placeholders": "on",
    "reason": "contract of 1 March",
}


def listed(page: bytes) -> set[str]:
    return set(re.findall(r'<th class="field-domain"><a[^>]*>(.*?)</a>', page.decode()))


def test_add_a_participant_with_a_key(staff: Client) -> None:
    answer = staff.post(LIST + "add/", ADDED | {"public_key": key_text(1)})

    assert answer.status_code == 302, errors(answer.content)
    participant = Participant.objects.get()
    key = participant.keys.get()
    assert (bytes(key.value), key.valid_from, key.valid_until) == (raw_key(1), None, None)
    assert [(entry.actor, entry.action, entry.reason) for entry in AuditEntry.objects.all()] == [
        ("kim", "added public key", "contract of 1 March"),
        ("kim", "added participant", "contract of 1 March"),
    ]


REFUSED = {
    "no reason": ({"reason": " "}, "Say why"),
    "domain": ({"domain": "AGR.example"}, "is not a domain"),
    "own domain": ({"domain": "cro.example"}, "own domain"),
    "there already": ({"role": "DSO", "domain": "grid.example"}, "already exists"),
    "endpoint": ({"endpoint": "ftp://agr.example/"}, "https"),
    "key": ({"public_key": "secret"}, "Base64"),
    "another's key": ({"public_key": key_text(9)}, "the key of another participant"),
}


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_a_clear_message(
    staff: Client, add_participant: AddParticipant, values: dict[str, str], message: str
) -> None:
    add_participant("DSO", "grid.example", public_key=key_text(9))

    answer = staff.post(LIST + "add/", ADDED | values)

    assert answer.status_code == 200
    assert message in errors(answer.content)
    assert Participant.objects.count() == 1


def test_what_is_configured_changes_with_a_reason(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    changed = {"name": "", "endpoint": "https://agr.example/in", "placeholders": "on"}

    refused = staff.post(page_of(participant), changed | {"reason": ""})
    assert "Say why" in errors(refused.content)
    taken = staff.post(page_of(participant), changed | {"reason": "they moved"})

    assert taken.status_code == 302, errors(taken.content)
    entry = AuditEntry.objects.first()
    assert entry
    assert (entry.actor, entry.before, entry.after, entry.reason, entry.participants) == (
        "kim",
        {"endpoint": ""},
        {"endpoint": "https://agr.example/in"},
        "they moved",
        [participant.pk],
    )


def test_role_domain_and_standing_are_not_edited(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    staff.post(
        page_of(participant),
        {"role": "DSO", "domain": "other.example", "standing": "barred", "name": "Agr", "reason": "try"},
    )

    participant.refresh_from_db()
    assert (participant.role, participant.domain, participant.standing, participant.name) == (
        "AGR",
        "agr.example",
        "authorized",
        "Agr",
    )


def test_the_page_says_everything_about_a_participant(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant(name="The Agr", endpoint="https://agr.example/in", reason="contract")
    Participant.objects.update(last_heard_at=NOW)

    text = text_of(staff.get(page_of(participant)).content)

    for fact in (
        "Standing Authorized",
        "Its messages are handled, whether the CRO is open or closed.",
        "https://agr.example/in",
        "Last heard from 2026-03-01 13:00:00 CET",
        "The Agr",
        key_text(1),
        "1 valid",
        "added public key",
        "contract",
        "Messages",
        "Connections",
        "Conflicts",
    ):
        assert fact in text, fact


def test_the_list_is_searched_and_filtered(staff: Client, add_participant: AddParticipant) -> None:
    add_participant(name="Flex & Co")
    add_participant("DSO", "grid.example", public_key=key_text(2), standing="suspended")
    expected = {
        "": {"agr.example", "grid.example"},
        "?q=rid": {"grid.example"},
        "?q=flex %26": {"agr.example"},
        "?q=DSO grid.example": {"grid.example"},
        f"?q={key_text(1)[:12].replace('+', '%2B')}": {"agr.example"},
        "?role__exact=AGR": {"agr.example"},
        "?standing__exact=suspended": {"grid.example"},
    }

    for query, domains in expected.items():
        assert listed(staff.get(LIST + query).content) == domains, query


def test_the_list_finds_those_who_are_silent(staff: Client, add_participant: AddParticipant) -> None:
    now = datetime.now(UTC)
    heard = {
        "never.example": None,
        "week.example": now - timedelta(days=8),
        "day.example": now - timedelta(days=2),
        "lively.example": now,
    }
    for domain, moment in heard.items():
        pk = add_participant(domain=domain, public_key=None).pk
        Participant.objects.filter(pk=pk).update(last_heard_at=moment)
    silent = {
        "never": {"never.example"},
        "not-this-week": {"never.example", "week.example"},
        "not-today": {"never.example", "week.example", "day.example"},
    }

    for query, domains in silent.items():
        assert listed(staff.get(f"{LIST}?heard={query}").content) == domains, query
    assert "never" in text_of(staff.get(f"{LIST}?heard=never").content)


def test_the_list_counts_the_keys_that_are_valid(staff: Client, add_participant: AddParticipant) -> None:
    add_participant()
    add_participant("DSO", "grid.example", public_key=None)

    page = staff.get(LIST).content.decode()

    assert re.findall(r'field-keys_valid">(?:<[^>]*>)?([^<]*)', page) == ["1", "none"]


def test_the_list_reads_the_same_number_of_queries_for_more_rows(
    staff: Client, add_participant: AddParticipant, django_assert_num_queries: object
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert staff.get(LIST).status_code == 200
        return len(captured)

    add_participant()
    few = queries()
    for number in range(2, 12):
        add_participant(domain=f"agr{number}.example", public_key=key_text(number))

    assert queries() == few


def test_participants_are_not_deleted(staff: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()

    assert staff.post(page_of(participant, "delete"), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in staff.get(LIST).content.decode()


def test_staff_who_may_only_look(viewer: Client, add_participant: AddParticipant) -> None:
    participant = add_participant()
    key = participant.keys.get()
    posts = {
        page_of(participant): {"name": "Agr", "reason": "for fun"},
        page_of(participant, "standing", "barred"): {"expected": "authorized", "reason": "for fun"},
        page_of(participant, "keys", "rotate"): {"public_key": key_text(2), "reason": "for fun"},
        page_of(participant, "keys", "rotate", "preview"): {"public_key": key_text(2)},
        page_of(participant, "keys", key.pk): {"end": "yes", "reason": "for fun"},
        page_of(participant, "test-message"): {},
        LIST + "add/": ADDED,
    }
    before = AuditEntry.objects.count()

    for url, values in posts.items():
        assert viewer.post(url, values).status_code == 403, url
    page = viewer.get(page_of(participant)).content.decode()

    assert AuditEntry.objects.count() == before
    for word in (
        "Suspend",
        "Bar",
        "Rotate key",
        "Send TestMessage",
        ">Change<",
        'name="_save"',
        'name="reason"',
    ):
        assert word not in page, word
    assert 'name="action"' not in viewer.get(LIST).content.decode()


def test_one_that_is_being_added_has_no_past(staff: Client) -> None:
    page = staff.get(LIST + "add/").content.decode()

    assert "Added" not in page
    assert "Latest audit entries" not in page


def test_a_page_that_another_has_overtaken_changes_only_what_was_changed_on_it(
    staff: Client, add_participant: AddParticipant
) -> None:
    participant = add_participant(endpoint="https://old.example/m", name="Old")
    initial = {
        "initial-name": "Old",
        "initial-endpoint": "https://old.example/m",
        "initial-placeholders": "True",
    }
    assert all(
        f'name="{name}" value="{value}"' in staff.get(page_of(participant)).content.decode()
        for name, value in initial.items()
    )
    Participant.objects.update(endpoint="https://new.example/m")
    data = {"name": "Other", "endpoint": "https://old.example/m", "placeholders": "on", "reason": "its name"}

    assert staff.post(page_of(participant), initial | data).status_code == 302
    stored = Participant.objects.get()
    assert (stored.name, stored.endpoint, stored.placeholders) == ("Other", "https://new.example/m", True)

    response = staff.post(page_of(participant), initial | data | {"name": "Third"})
    assert "Meanwhile somebody else has changed this to: Other" in errors(response.content)
    assert Participant.objects.get().name == "Other"
