"""Backpressure: a worker pauses while messages come in fast, and not for ever."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from uftp.models import InboundMessage, Sender
from uftp.processing.backpressure import BUSY_RATE, CHECK_INTERVAL, MAX_PAUSE, Backpressure, backpressure


@dataclass
class Inbox:
    """Receipts at a pace, on a clock that goes on with each look and each pause."""

    pace: float
    now: float = 100.0
    waited: float = 0.0

    def received(self) -> int:
        return int(self.pace * self.now)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waited += seconds


def worker_with(inbox: Inbox) -> Backpressure:
    """A worker that has looked once."""
    worker = Backpressure(inbox.received, inbox.clock, inbox.sleep)
    worker.wait(lambda: False)
    inbox.now += 2 * CHECK_INTERVAL
    return worker


def test_a_worker_at_rest_starts_at_once() -> None:
    inbox = Inbox(pace=10 * BUSY_RATE)
    worker_with(inbox)
    assert inbox.waited == 0


def test_slow_receipts_keep_nobody_waiting() -> None:
    inbox = Inbox(pace=BUSY_RATE / 2)
    worker_with(inbox).wait(lambda: False)
    assert inbox.waited == 0


def test_handling_goes_on_when_receipts_slow_down() -> None:
    inbox = Inbox(pace=2 * BUSY_RATE)
    worker = worker_with(inbox)
    came = inbox.received()
    worker.received = lambda: came if inbox.waited > 0.5 else inbox.received()
    worker.wait(lambda: False)
    assert 0.5 < inbox.waited < MAX_PAUSE


def test_a_flood_that_goes_on_is_handled_half_of_the_time() -> None:
    inbox = Inbox(pace=2 * BUSY_RATE)
    worker = worker_with(inbox)
    began = inbox.now
    while inbox.now - began < 10 * MAX_PAUSE:
        worker.wait(lambda: False)
        inbox.now += 0.01
    assert inbox.waited == pytest.approx((inbox.now - began) / 2, rel=0.1)


def test_who_is_asked_to_stop_does_not_wait() -> None:
    inbox = Inbox(pace=2 * BUSY_RATE)
    worker_with(inbox).wait(lambda: True)
    assert inbox.waited == 0


@pytest.mark.django_db
def test_receipts_are_counted() -> None:
    sender = Sender.objects.create(role="AGR", domain="agr.example")

    def receive(message_id: str) -> None:
        InboundMessage.objects.create(
            sender=sender,
            message_type="TestMessage",
            version="3.1.0",
            major=3,
            message_id=message_id,
            content_hash=b"0" * 32,
            sealed=b"",
            size=0,
            received_at="2026-01-01T00:00:00Z",
        )

    receive("one")
    before = backpressure.received()
    receive("another")
    assert backpressure.received() == before + 1
