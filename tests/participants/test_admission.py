"""Who may act: mode by standing, by which keys a sender is known, and what is kept of having heard it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from participants.admission import (
    Admission,
    admit,
    current_mode,
    find_keys,
    record_first_contact,
    record_last_heard,
)
from participants.discovery import DiscoveryFailed
from participants.key_changes import add_key, withdraw_key
from participants.lookups import Asker
from participants.models import AuditEntry, Participant
from participants.registration import set_mode
from tests.participants.conftest import NOW, AddParticipant, key_text, raw_key

ALLOWED, BARRED, UNAUTHORIZED = Admission.ALLOWED, Admission.BARRED, Admission.UNAUTHORIZED
TABLE = [
    ("open", "known", ALLOWED),
    ("open", "authorized", ALLOWED),
    ("open", "suspended", UNAUTHORIZED),
    ("open", "barred", BARRED),
    ("open", None, ALLOWED),
    ("closed", "known", UNAUTHORIZED),
    ("closed", "authorized", ALLOWED),
    ("closed", "suspended", UNAUTHORIZED),
    ("closed", "barred", BARRED),
    ("closed", None, UNAUTHORIZED),
]


@pytest.mark.parametrize(
    ("mode", "standing", "expected"), TABLE, ids=[f"{m}, {s or 'not configured'}: {a}" for m, s, a in TABLE]
)
def test_admission(mode: str, standing: str | None, expected: Admission) -> None:
    participant = Participant(role="AGR", domain="agr.example", standing=standing) if standing else None

    assert admit(participant, mode) is expected


def test_the_words_of_a_refusal_are_the_rejection_reasons() -> None:
    assert (str(BARRED), str(UNAUTHORIZED)) == ("Barred Sender", "Unauthorized")


def test_the_cro_starts_open(db: None) -> None:
    assert current_mode() == "open"


def test_the_cro_is_closed_once_staff_closed_it(db: None) -> None:
    set_mode("closed", actor="kim", reason="end of trial")

    assert current_mode() == "closed"


class Published:
    """A source that publishes `keys` for everybody, and counts how often it was asked."""

    def __init__(self, *keys: bytes) -> None:
        self.published, self.asked = keys, 0

    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        self.asked += 1
        return self.published

    def endpoint(self, role: str, domain: str, major: int) -> str | None:
        return None


class Unreachable(Published):
    def keys(
        self, role: str, domain: str, *, asker: Asker = Asker.REGISTERED, newer_than: float | None = None
    ) -> tuple[bytes, ...]:
        raise DiscoveryFailed("no answer")


def test_configured_keys_come_first(
    add_participant: AddParticipant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    participant = add_participant()
    source = Published(raw_key(9))

    with django_assert_max_num_queries(2):
        found = find_keys("AGR", "agr.example", NOW, source)

    assert (found.participant, found.keys, found.discovered) == (participant, (raw_key(1),), False)
    assert source.asked == 0


def test_both_keys_count_during_a_rotation(add_participant: AddParticipant) -> None:
    participant = add_participant()
    add_key(participant, key_text(2), actor="kim", now=NOW)

    assert set(find_keys("AGR", "agr.example", NOW).keys) == {raw_key(1), raw_key(2)}


def test_a_key_counts_from_its_beginning_until_its_end(add_participant: AddParticipant) -> None:
    participant = add_participant(public_key=None)
    add_key(participant, key_text(1), actor="kim", now=NOW, begins=NOW)
    later = NOW + timedelta(days=1)
    withdraw_key(participant.keys.get(), actor="kim", now=later)
    moment = timedelta(microseconds=1)

    times = [NOW - moment, NOW, later - moment, later]
    assert [len(find_keys("AGR", "agr.example", time).keys) for time in times] == [0, 1, 1, 0]


def test_the_other_role_of_a_domain_is_another_participant(add_participant: AddParticipant) -> None:
    add_participant()

    assert find_keys("DSO", "agr.example", NOW) == find_keys("DSO", "unheard.example", NOW)


def test_a_stranger_is_known_by_what_it_publishes(db: None) -> None:
    found = find_keys("AGR", "stranger.example", NOW, Published(raw_key(3)))

    assert (found.participant, found.keys, found.discovered) == (None, (raw_key(3),), True)


def test_a_participant_without_keys_is_known_by_what_it_publishes(add_participant: AddParticipant) -> None:
    participant = add_participant(public_key=None)

    found = find_keys("AGR", "agr.example", NOW, Published(raw_key(3)))

    assert (found.participant, found.keys) == (participant, (raw_key(3),))


def test_a_withdrawn_key_does_not_come_back_by_being_published(add_participant: AddParticipant) -> None:
    participant = add_participant()
    withdraw_key(participant.keys.get(), actor="kim", now=NOW)

    assert find_keys("AGR", "agr.example", NOW, Published(raw_key(1), raw_key(2))).keys == (raw_key(2),)


@pytest.mark.parametrize(
    ("role", "domain"), [("AGR", "cro.example"), ("CRO", "agr.example"), ("agr", "agr.example")]
)
def test_nobody_else_is_looked_for(db: None, role: str, domain: str) -> None:
    source = Published(raw_key(3))

    assert find_keys(role, domain, NOW, source).keys == ()
    assert source.asked == 0


def test_a_lookup_that_fails_says_so(db: None) -> None:
    with pytest.raises(DiscoveryFailed):
        find_keys("AGR", "stranger.example", NOW, Unreachable())


def test_a_stranger_is_recorded_as_known_once(db: None) -> None:
    first = record_first_contact("AGR", "stranger.example", raw_key(3), NOW)
    again = record_first_contact("AGR", "stranger.example", raw_key(3), NOW)

    assert first == again
    assert (first.standing, first.last_heard_at, first.keys.count()) == ("known", NOW, 0)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.subject) == ("discovery", "AGR stranger.example")
    assert entry.after["published key"] == key_text(3)


@pytest.mark.django_db(transaction=True)
def test_two_first_messages_at_once_record_one_participant() -> None:
    together = threading.Barrier(4)

    def first_message(_: int) -> int:
        together.wait()
        try:
            return record_first_contact("AGR", "stranger.example", raw_key(3), NOW).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as senders:
        recorded = set(senders.map(first_message, range(4)))

    assert recorded == {Participant.objects.get().pk}
    assert AuditEntry.objects.count() == 1


def test_first_contact_leaves_a_configured_participant_as_it_is(add_participant: AddParticipant) -> None:
    add_participant(public_key=None, standing="barred", reason="fraud")

    assert record_first_contact("AGR", "agr.example", raw_key(3), NOW).standing == "barred"


def test_having_heard_costs_a_write_a_minute(
    add_participant: AddParticipant, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    participant = add_participant()
    record_last_heard(participant, NOW)
    participant.refresh_from_db()
    assert participant.last_heard_at == NOW

    with django_assert_num_queries(0):
        record_last_heard(participant, NOW + timedelta(seconds=59))
    record_last_heard(participant, NOW + timedelta(seconds=60))

    participant.refresh_from_db()
    assert participant.last_heard_at == NOW + timedelta(seconds=60)
