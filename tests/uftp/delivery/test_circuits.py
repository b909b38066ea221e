"""The circuit breaker of a recipient: one refusal does not end all that waits for it."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from participants.models import Participant
from tests.support.exchange import handled_by
from tests.support.peer import Peer
from tests.support.receiver import OK, Posted, Receiver, Reply
from tests.uftp.delivery.test_forwarding import App, deliver, passed_on, state_of
from uftp import connectivity
from uftp.delivery import circuits, leases, outbox
from uftp.models import CircuitBreaker, DeliveryAttempt, OutboundMessage
from uftp.worker import sweep

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED: Reply = (400, {}, b"odd")


@pytest.fixture
def app(agr: Peer) -> Iterator[App]:
    made = App(agr, seconds=5 * 86_400)
    with handled_by(
        "FlexReservationUpdate", made.handle, accepts_recipient=lambda _: True, on_passed_on=made.passed_on
    ):
        yield made


def own(agr: Peer) -> OutboundMessage:
    return connectivity.send_test_message(Participant.objects.get(domain=agr.domain), timezone.now())


def circuit() -> CircuitBreaker:
    return CircuitBreaker.objects.get()


def next_trial() -> None:
    """Have the pause before the next trial be over."""
    now = timezone.now()
    CircuitBreaker.objects.update(next_trial_at=now)
    OutboundMessage.objects.filter(state="waiting", not_before__gt=now).update(
        next_attempt_at=now, not_before=now
    )


def undone(app: App) -> int:
    return sum(not told.delivered for told in app.told)


def test_M15_one_400_undoes_one_of_eight_waiting_updates(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """Days before their deadline: the first is refused, the next is tried alone, and all seven arrive."""
    receiver.reply = lambda posted, before: REFUSED if before == 0 else OK
    waiting = [passed_on(agr, dso) for _ in range(8)]
    deliver(agr)
    assert [state_of(each) for each in waiting] == ["failed"] + ["delivered"] * 7
    assert undone(app) == 1
    assert circuit().state == "closed"


def test_M15_updates_are_not_undone_in_a_row(receiver: Receiver, agr: Peer, app: App) -> None:
    """Of eight, from four DSOs, one; the others wait, each tried alone after a growing pause, until it is repaired."""
    receiver.reply = lambda posted, before: REFUSED
    dsos = [Peer("DSO") for _ in range(4)]
    for each in dsos:
        each.register()
    waiting = [passed_on(agr, each) for each in dsos * 2]
    deliver(agr)
    assert (undone(app), len(receiver.posts)) == (1, 2), "the next one is tried alone, at once"
    for pause in circuits.TRIAL_PAUSES[1:]:
        next_trial()
        posts = len(receiver.posts)
        deliver(agr)
        assert (undone(app), len(receiver.posts)) == (1, posts + 1)
        wait = (circuit().next_trial_at - timezone.now()).total_seconds()
        assert pause - 5 < wait <= pause
    assert len({posted.attributes["MessageID"] for posted in receiver.posts}) >= 4, "not always the same"
    refused = DeliveryAttempt.objects.filter(status=400)
    assert sorted(refused.values_list("outcome", flat=True)) == ["permanent"] + ["temporary"] * 4
    receiver.reply = lambda posted, before: OK
    for _ in range(4):
        next_trial()
        deliver(agr)
    assert sorted(state_of(each) for each in waiting) == ["delivered"] * 7 + ["failed"]
    assert undone(app) == 1


def test_those_in_flight_at_the_same_time_are_not_undone_together(
    receiver: Receiver, agr: Peer, app: App
) -> None:
    """Four workers post updates of four DSOs at once, and each is refused: one is undone."""
    together = threading.Barrier(4, timeout=20)

    def reply(posted: Posted, before: int) -> Reply:
        if before < 4:
            together.wait()
        return REFUSED

    receiver.reply = reply
    for _ in range(4):
        sender = Peer("DSO")
        sender.register()
        passed_on(agr, sender)

    def work() -> None:
        try:
            deliver(agr)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert undone(app) == 1
    assert OutboundMessage.objects.filter(state="waiting", passes_on__isnull=False).count() == 3


def test_a_refusal_whose_worker_died_before_it_was_recorded_is_no_second_one(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: REFUSED
    passing = passed_on(agr, dso)
    circuits.open_after_refusal(("AGR", agr.domain), passing.pk, "HTTP 400: odd", timezone.now())
    deliver(agr)
    assert (state_of(passing), undone(app)) == ("failed", 1)


def test_a_trial_is_alone_between_workers(receiver: Receiver, agr: Peer) -> None:
    """Eight workers ask at once for a message to a recipient whose circuit breaker is open: one gets one."""
    first = own(agr)
    for _ in range(10):
        own(agr)
    circuits.open_after_refusal(("AGR", agr.domain), first.pk, "HTTP 400", timezone.now())
    found: list[Any] = []
    start = threading.Barrier(8, timeout=20)

    def work() -> None:
        try:
            connection.ensure_connection()
            start.wait()
            found.append(leases.lease_oldest("AGR", agr.domain, timezone.now()))
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    leased = [lease for lease in found if lease]
    assert (len(found), len(leased)) == (8, 1)
    assert leased[0].trial
    assert OutboundMessage.objects.filter(claimed_until__isnull=False).count() == 1


def test_own_messages_that_are_refused_end_one_by_one_and_the_others_wait(
    receiver: Receiver, agr: Peer
) -> None:
    receiver.reply = lambda posted, before: REFUSED
    for _ in range(5):
        own(agr)
    deliver(agr)
    states = sorted(OutboundMessage.objects.values_list("state", flat=True))
    assert states == ["failed"] * 2 + ["waiting"] * 3
    assert deliver(agr) == []
    now = timezone.now()
    assert sweep.idle(now), "nothing is due before the next trial"
    assert not sweep.idle(now + timedelta(seconds=6))


def test_the_last_try_before_the_end_does_not_wait_for_a_trial(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """And from its end on it is not posted, however long the pause is."""
    receiver.reply = lambda posted, before: REFUSED
    first, last, over = (passed_on(agr, dso) for _ in range(3))
    circuits.open_after_refusal(("AGR", agr.domain), own(agr).pk, "HTTP 400", timezone.now())
    CircuitBreaker.objects.update(next_trial_at=timezone.now() + timedelta(hours=1))
    deliver(agr)
    assert receiver.posts == []
    now = timezone.now()
    OutboundMessage.objects.filter(pk__in=[first.pk, last.pk]).update(
        give_up_at=now + timedelta(seconds=20), next_attempt_at=now
    )
    OutboundMessage.objects.filter(pk=over.pk).update(give_up_at=now, next_attempt_at=now)
    assert not sweep.idle(now)
    deliver(agr)
    posted = {each.attributes["MessageID"].lower() for each in receiver.posts}
    assert first.message_id in posted
    assert over.message_id not in posted
    assert [told.expired for told in app.told] == [True]
    assert state_of(over) == "failed"


def test_a_message_that_alone_is_odd_is_refused_for_good_once_others_arrive(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    """Two odd updates follow each other: the second is tried again after another message has arrived, and then ends."""
    odd = {passed_on(agr, dso).message_id for _ in range(2)}
    receiver.reply = lambda posted, before: REFUSED if posted.attributes["MessageID"].lower() in odd else OK
    good = passed_on(agr, dso)
    deliver(agr)
    assert (undone(app), circuit().state) == (1, "open")
    own(agr)
    next_trial()
    for _ in range(4):
        deliver(agr)
        next_trial()
    assert (undone(app), state_of(good), circuit().state) == (2, "delivered", "closed")


def test_staff_who_resume_let_what_was_refused_in_a_row_go_on_at_once(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: REFUSED
    waiting = [passed_on(agr, dso) for _ in range(3)]
    deliver(agr)
    assert [state_of(each) for each in waiting] == ["failed", "waiting", "waiting"]
    receiver.reply = lambda posted, before: OK
    assert circuits.resume(("AGR", agr.domain), timezone.now())
    assert not circuits.resume(("AGR", agr.domain), timezone.now())
    deliver(agr)
    assert [state_of(each) for each in waiting] == ["failed", "delivered", "delivered"]


def test_M16_401_is_temporary_for_24_hours(receiver: Receiver, agr: Peer, settings: Any) -> None:
    """However long other failures are tried again; from its first 401 on, and anew after staff have sent it again."""
    settings.DELIVERY_RETRY_HOURS = 72
    receiver.reply = lambda posted, before: (401, {}, b"who are you")
    message = own(agr)
    deliver(agr)
    assert (state_of(message), DeliveryAttempt.objects.get().outcome) == ("waiting", "temporary")
    assert not CircuitBreaker.objects.exists()
    for hours, state in ((23.9, "waiting"), (24.1, "failed")):
        DeliveryAttempt.objects.update(started_at=timezone.now() - timedelta(hours=hours))
        OutboundMessage.objects.update(
            next_attempt_at=timezone.now(),
            give_up_at=timezone.now() + timedelta(hours=71.9 - hours),
        )
        deliver(agr)
        assert state_of(message) == state
    outbox.send_again(message)
    next_trial()
    deliver(agr)
    assert (state_of(message), DeliveryAttempt.objects.count()) == ("waiting", 4)


def test_an_update_that_is_refused_with_401_waits_for_its_senders_key(
    receiver: Receiver, dso: Peer, agr: Peer, app: App
) -> None:
    receiver.reply = lambda posted, before: (401, {}, b"") if before == 0 else OK
    passing = passed_on(agr, dso)
    deliver(agr)
    assert (state_of(passing), app.told) == ("waiting", [])
    OutboundMessage.objects.update(next_attempt_at=timezone.now())
    deliver(agr)
    assert (state_of(passing), undone(app)) == ("delivered", 0)
