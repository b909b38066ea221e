"""What several do with a participant and its keys at the same time."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.test import Client

from participants.key_changes import end_key, rotate_key
from participants.models import Participant, PublicKey
from participants.registration import set_standing
from tests.participants.conftest import LIST, NOW, AddParticipant, key_text
from tests.support.polling import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

REFERS = "SELECT 1 FROM participants_participant WHERE id = %s FOR KEY SHARE"
"""What PostgreSQL does when a row that refers to a participant is written."""


@pytest.fixture
def message() -> Iterator[psycopg.Connection[Any]]:
    """The transaction of a message that is being handled."""
    at = connection.settings_dict
    with psycopg.connect(
        host=at["HOST"], port=at["PORT"], user=at["USER"], dbname=at["NAME"], password=at["PASSWORD"] or None
    ) as other:
        yield other
        other.rollback()


@pytest.fixture
def beside() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def is_lock_waited_for() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_a_message_in_handling_keeps_no_standing_waiting(
    add_participant: AddParticipant, message: psycopg.Connection[Any]
) -> None:
    participant = add_participant()
    message.execute(REFERS, [participant.pk])
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '2s'")

    try:
        set_standing(participant, "barred", actor="kim", reason="fraud")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")

    assert Participant.objects.get().standing == "barred"


def test_a_stolen_key_that_is_ended_during_a_rotation_stays_ended(
    add_participant: AddParticipant, beside: ThreadPoolExecutor
) -> None:
    participant = add_participant()
    stolen = participant.keys.get()

    with transaction.atomic():
        rotate_key(
            participant,
            key_text(2),
            begins=None,
            overlap=timedelta(days=14),
            actor="ann",
            now=NOW,
            reason="rotation",
        )
        ended: Future[None] = beside.submit(end_key, stolen, NOW, actor="bob", now=NOW, reason="stolen")
        wait_for("a lock being waited for", is_lock_waited_for)
    ended.result()

    assert PublicKey.objects.get(pk=stolen.pk).valid_until == NOW


def test_a_rotation_does_not_lengthen_a_key_that_ends_before_it_gets_on(
    add_participant: AddParticipant, beside: ThreadPoolExecutor
) -> None:
    participant = add_participant()
    stolen = participant.keys.get()

    with transaction.atomic():
        end_key(stolen, NOW, actor="bob", now=NOW, reason="stolen")
        rotated = beside.submit(
            rotate_key,
            participant,
            key_text(2),
            begins=None,
            overlap=timedelta(days=14),
            actor="ann",
            now=NOW,
            reason="rotation",
        )
        wait_for("a lock being waited for", is_lock_waited_for)
    rotated.result()

    assert PublicKey.objects.get(pk=stolen.pk).valid_until == NOW


def test_staff_who_lose_a_race_do_not_notice(
    add_participant: AddParticipant, message: psycopg.Connection[Any], beside: ThreadPoolExecutor
) -> None:
    """Somebody else locks the two participants in the other order; PostgreSQL ends the one who waited longer."""
    one = add_participant()
    two = add_participant(domain="two.example", public_key=key_text(2))
    client = Client()
    client.force_login(User.objects.create_superuser("kim"), "django.contrib.auth.backends.ModelBackend")
    message.execute("SET deadlock_timeout = '1min'")
    lock = "SELECT 1 FROM participants_participant WHERE id = %s FOR NO KEY UPDATE"
    message.execute(lock, [two.pk])

    answer = beside.submit(
        client.post,
        LIST,
        {
            "action": "suspend",
            "_selected_action": [one.pk, two.pk],
            "reason": "audit overdue",
            "index": "0",
            f"expected_{one.pk}": "authorized",
            f"expected_{two.pk}": "authorized",
        },
    )
    wait_for("a lock being waited for", is_lock_waited_for)
    message.execute(lock, [one.pk])
    message.rollback()

    assert answer.result().status_code == 302
    assert not Participant.objects.exclude(standing="suspended").exists()
