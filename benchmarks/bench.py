"""Parts that all scenarios use: sizes, databases, the sink, and the timing of an exchange with a running CRO."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection as django_connection

from benchmarks import databases, posting
from benchmarks.databases import Databases
from benchmarks.messages import Message, Sender
from benchmarks.processes import RunningCro, wait_for
from common import clock
from participants.registration import add_or_update_participant

ANSWERED = "SELECT result, reason, id, size FROM uftp_outboundmessage WHERE conversation_id = %s"
WAITING = """
SELECT EXISTS (SELECT FROM uftp_inboundmessage WHERE state = 'received')
    OR EXISTS (SELECT FROM uftp_outboundmessage WHERE state = 'waiting')
"""


@dataclass(frozen=True)
class Bench:
    """The sizes of a run, and the databases and the sink that it uses."""

    databases: Databases
    sink: str
    connections: int = 1_000_000
    registered: int = 1_000_000
    messages: int = 2_000
    runs: int = 3
    large: bool = False

    @property
    def points(self) -> int:
        """Return how many congestion points the large updates and answers have: one for each hundred connections."""
        return max(1, self.connections // 100)

    def say(self, text: str) -> None:
        """Print a line about the progress."""
        print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


@dataclass(frozen=True)
class Answered:
    """An exchange: the seconds from the first byte of the POST to its 200, and to the committed answer."""

    received: float
    committed: float
    outbound_id: int
    size: int
    """Bytes of the answer's inner XML."""


@contextmanager
def connected(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection to `database`, without Django."""
    with psycopg.connect(databases.url(database), autocommit=True) as connection:
        yield connection


def register(bench: Bench, senders: Iterable[Sender]) -> dict[str, int]:
    """Register `senders` in the present database, authorized, and return their primary keys by domain."""
    keys = {}
    for sender in senders:
        participant, _ = add_or_update_participant(
            role=sender.role,
            domain=sender.domain,
            public_key=sender.published_key,
            replace_keys=False,
            endpoint=bench.sink,
            name="",
            standing="authorized",
            reason="measured",
            actor="benchmarks",
            now=clock.now(),
        )
        keys[sender.domain] = participant.pk
    django_connection.close()
    return keys


def exchange(cro: RunningCro, database: psycopg.Connection[Any], message: Message) -> Answered:
    """POST `message` and wait until its answer is committed; it must be accepted without warnings."""

    def answer() -> Any:
        return database.execute(ANSWERED, [message.conversation_id]).fetchone()

    began = time.monotonic()
    try:
        posting.post(cro.port, message)
    except posting.Failed as failed:
        raise RuntimeError(f"{failed}\n{cro.log[-5_000:]}") from None
    received = time.monotonic() - began
    result, reason, outbound_id, size = wait_for("the answer", answer)
    committed = time.monotonic() - began
    if result != "Accepted" or reason:
        raise RuntimeError(f"{result}: {reason}\n{cro.log[-2_000:]}")
    return Answered(received, committed, outbound_id, size)


def until_quiet(database: psycopg.Connection[Any]) -> None:
    """Wait until every message is handled and every answer delivered."""

    def quiet() -> bool:
        row = database.execute(WAITING).fetchone()
        return row is not None and not row[0]

    wait_for("every message being handled and every answer delivered", quiet, every=0.05)
