"""`manage.py list_messages`: list received and sent messages with their state and result.

It is in this app because it prints times in the market's time zone.
"""

import json
from argparse import ArgumentTypeError
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import merge
from itertools import islice
from textwrap import shorten
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management.base import CommandParser
from django.db.models import Case, OuterRef, Q, QuerySet, Subquery, TextField, When

from common.commands import OperatorCommand
from registry.market.market import market
from uftp.delivery.forwarding import result_in_words, with_recipient
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage

_IN = [
    "id",
    "sender__role",
    "sender__domain",
    "message_type",
    "version",
    "message_id",
    "conversation_id",
    "size",
    "received_at",
    "state",
    "result",
    "reason",
    "passing",
    "passed_on_to",
    "attempts",
    "last_error",
    "processed_at",
]
_OUT = [
    "id",
    "recipient_role",
    "recipient_domain",
    "message_type",
    "version",
    "message_id",
    "conversation_id",
    "in_reply_to__message_id",
    "passes_on_id",
    "passes_on__sender__role",
    "passes_on__sender__domain",
    "size",
    "created_at",
    "state",
    "result",
    "reason",
    "attempts",
    "last_error",
    "next_attempt_at",
    "finished_at",
]
_NAMES = {
    "sender__role": "role",
    "sender__domain": "domain",
    "recipient_role": "role",
    "recipient_domain": "domain",
    "in_reply_to__message_id": "in_reply_to",
    "passes_on_id": "passes_on",
    "passes_on__sender__role": "sender_role",
    "passes_on__sender__domain": "sender_domain",
}


class Command(OperatorCommand):
    """The command `list_messages`."""

    help = "List messages, newest first: those received, those sent, or both."

    def add_arguments(self, parser: CommandParser) -> None:
        direction = parser.add_mutually_exclusive_group()
        direction.add_argument("--in", dest="received", action="store_true", help="only messages received")
        direction.add_argument("--out", dest="sent", action="store_true", help="only messages sent")
        parser.add_argument("--json", action="store_true", help="a JSON array instead of lines")
        parser.add_argument(
            "--limit", type=_count, help="at most so many (default: 100 as lines, all of them as JSON)"
        )

    def handle(self, *, received: bool, sent: bool, limit: int | None, **options: Any) -> None:
        inbound = InboundMessage.objects.none() if sent else InboundMessage.objects.order_by("-id")
        rows = merge(
            _rows("in", with_recipient(inbound), _IN),
            _rows(
                "out",
                _with_last_error().none() if received else _with_last_error().order_by("-id"),
                _OUT,
            ),
            key=lambda row: row["moment"],
            reverse=True,
        )
        self.zone = ZoneInfo(market().time_zone)
        if options["json"]:
            self._print_json(islice(rows, limit))
        else:
            self._print_lines(islice(rows, 100 if limit is None else limit))

    def _print_json(self, rows: Iterable[dict[str, Any]]) -> None:
        """Print one array, a row at a time, because there may be very many rows."""
        self.stdout.write("[", ending="")
        for number, row in enumerate(rows):
            plain = {name: self._plain(value) for name, value in row.items() if name != "moment"}
            self.stdout.write(
                ("," if number else "") + "\n" + json.dumps(plain, ensure_ascii=False), ending=""
            )
        self.stdout.write("\n]")

    def _print_lines(self, rows: Iterable[dict[str, Any]]) -> None:
        for row in rows:
            passed_on = (
                f"passed on for {row['sender_role']} {row['sender_domain']}," if row.get("passes_on") else ""
            )
            result = result_in_words(row["result"], row.get("passing"))
            if result != row["result"]:
                result = f"{result.lower()} to {row['passed_on_to']}"
            error = _one_line(row["last_error"]) if row["direction"] == "out" else ""
            outcome = " ".join(filter(None, [passed_on, row["state"], result, row["reason"], error]))
            moment = self._local(row["moment"]).isoformat(" ", "seconds")
            self.stdout.write(
                f"{moment}  {row['direction']:3}  {row['role']} {row['domain']:24}  "
                f"{row['message_type']:28} {row['message_id']}  {outcome}"
            )

    def _plain(self, value: Any) -> Any:
        return self._local(value).isoformat() if isinstance(value, datetime) else value

    def _local(self, moment: datetime) -> datetime:
        """Return a moment in the market's time zone."""
        return moment.astimezone(self.zone)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ArgumentTypeError(f"{text!r} is not a number of messages")
    return int(text)


def _with_last_error() -> QuerySet[OutboundMessage]:
    """Return the sent messages, each that is not delivered with the detail of its last attempt as `last_error`."""
    attempts = DeliveryAttempt.objects.filter(message=OuterRef("pk")).order_by("-pk")
    undelivered = When(
        ~Q(state=OutboundMessage.State.DELIVERED), then=Subquery(attempts.values("detail")[:1])
    )
    return OutboundMessage.objects.annotate(last_error=Case(undelivered, output_field=TextField()))


def _one_line(error: str | None) -> str:
    """Return the last error in parentheses, without characters that a terminal would obey: it may be an outsider's."""
    words = shorten("".join(each if each.isprintable() else " " for each in error or ""), 200)
    return f"({words})" if words else ""


def _rows(direction: str, messages: QuerySet[Any], fields: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the fields of each message by their plain names, newest first, and its `moment`.

    A sent message has the sender of its envelope. That is this CRO, unless a message with the id `passes_on` is passed
    on.
    """
    for row in messages.values(*fields).iterator(chunk_size=1000):
        named = {_NAMES.get(key, key): value for key, value in row.items()}
        if direction == "out" and named["passes_on"] is None:
            named |= {"sender_role": "CRO", "sender_domain": settings.CRO_DOMAIN}
        yield {"direction": direction, "moment": row.get("received_at") or row.get("created_at"), **named}
