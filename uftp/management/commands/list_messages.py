"""`manage.py list_messages`: messages in and out, and what became of them."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from uftp.models import InboundMessage, OutboundMessage

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
    "size",
    "created_at",
    "state",
    "result",
    "reason",
    "attempts",
    "next_attempt_at",
    "finished_at",
]
_NAMES = {
    "sender__role": "role",
    "sender__domain": "domain",
    "recipient_role": "role",
    "recipient_domain": "domain",
    "in_reply_to__message_id": "in_reply_to",
}


class Command(BaseCommand):
    help = "List messages, newest first: those received, those sent, or both."

    def add_arguments(self, parser: CommandParser) -> None:
        direction = parser.add_mutually_exclusive_group()
        direction.add_argument("--in", dest="received", action="store_true", help="only messages received")
        direction.add_argument("--out", dest="sent", action="store_true", help="only messages sent")
        parser.add_argument("--json", action="store_true", help="a JSON array instead of lines")
        parser.add_argument("--limit", type=int, default=100, help="at most so many of each (default 100)")

    def handle(self, *, received: bool, sent: bool, limit: int, **options: Any) -> None:
        rows: list[dict[str, Any]] = []
        if not sent:
            rows += _rows("in", InboundMessage.objects.order_by("-id").values(*_IN)[:limit])
        if not received:
            rows += _rows("out", OutboundMessage.objects.order_by("-id").values(*_OUT)[:limit])
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False))
            return
        for row in rows:
            moment = row.get("received_at") or row.get("created_at")
            outcome = " ".join(filter(None, [row["state"], row["result"], row["reason"]]))
            self.stdout.write(
                f"{moment} {row['direction']:3} {row['role']} {row['domain']} {row['message_type']} "
                f"{row['message_id']} {outcome}"
            )


def _rows(direction: str, values: Any) -> Iterator[dict[str, Any]]:
    for row in values:
        named = {_NAMES.get(key, key): _plain(value) for key, value in row.items()}
        yield {"direction": direction, **named}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
