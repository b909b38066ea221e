"""What participants say, and how the staff's screens answer, for tests of those screens."""

import html
import re
from datetime import UTC, date, datetime
from typing import Any

from django.db import models
from django.test import Client

from participants.models import Participant
from registry.changes import Source
from registry.models import CongestionPoint, Connection
from registry.updates.publish import publish_congestion_points, publish_representations
from tests.support.eans import ean
from uftp.models import InboundMessage, Sender
from uftp.protocol.streaming import MembershipLine, PointLine

TODAY = date(2026, 6, 1)
LAST = date(2026, 12, 31)


def party(role: str, domain: str) -> Participant:
    return Participant.objects.get_or_create(role=role, domain=domain)[0]


def home(number: int) -> str:
    return ean(f"8716{number:013d}")


def point(number: int) -> str:
    return ean(f"8715{number:013d}")


def message_of(participant: Participant) -> InboundMessage:
    sender, _ = Sender.objects.get_or_create(role=participant.role, domain=participant.domain)
    return InboundMessage.objects.create(
        sender=sender,
        message_type=f"{participant.role}PortfolioUpdate",
        version="3.1.0",
        major=3,
        message_id=f"00000000-0000-4000-8000-{InboundMessage.objects.count():012d}",
        content_hash=bytes(32),
        sealed=bytes(64) + b"<A/>",
        size=4,
        received_at=datetime(2026, 6, 1, tzinfo=UTC),
        state="processed",
    )


def represented(agr: str, *numbers: int, first: date = TODAY, last: date | None = LAST) -> InboundMessage:
    """An AGR's update of connections by their numbers; gives its message."""
    participant = party("AGR", agr)
    message = message_of(participant)
    publish_representations(
        participant,
        [(home(number), first, last) for number in numbers],
        today=TODAY,
        source=Source.of_message(message),
    )
    return message


def declared(dso: str, number: int, *homes: int, last: date | None = None) -> InboundMessage:
    """A DSO's update of one congestion point with its connections; gives its message."""
    participant = party("DSO", dso)
    message = message_of(participant)
    publish_congestion_points(
        participant,
        [
            PointLine(0, point(number), TODAY, last, True, "AGR", "DSO"),
            *(MembershipLine(0, home(inside), TODAY, last) for inside in homes),
        ],
        today=TODAY,
        source=Source.of_message(message),
    )
    return message


def page_text(client: Client, page: str) -> str:
    """The source of a page, without escapes."""
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
    return html.unescape(answer.content.decode())


def text_of(answer: Any) -> str:
    """The page of an answer, with single spaces and without escapes; its mark-up stays."""
    return re.sub(r"\s+", " ", html.unescape(answer.content.decode()))


def visible_text(answer: Any) -> str:
    """The page of an answer without its mark-up."""
    assert answer.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


def list_of(model: type[models.Model]) -> str:
    return f"/admin/registry/{model.__name__.lower()}/"


def page_of(row: models.Model) -> str:
    return f"{list_of(type(row))}{row.pk}/change/"


def listed(client: Client, page: str) -> set[int]:
    """The keys of the rows that a list shows."""
    found = re.findall(
        r'<th class="field-[\w ]+"><a href="/admin/registry/\w+/(\d+)/change/', page_text(client, page)
    )
    return {int(key) for key in found}


def of_home(number: int) -> Connection:
    return Connection.objects.get(address=home(number))


def of_point(number: int) -> CongestionPoint:
    return CongestionPoint.objects.get(address=point(number))


def csv_of(client: Client, number: int, what: str, on: str = "2026-06-01") -> list[str]:
    """The lines of one of the files of a congestion point, by its number."""
    answer = client.get(f"{list_of(CongestionPoint)}{of_point(number).pk}/{what}.csv?on={on}")
    assert answer.status_code == 200
    assert f"-{on.partition('&')[0]}-{what}.csv" in answer.headers["Content-Disposition"]
    return b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[arg-type]
