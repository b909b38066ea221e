"""Bytes in, messages out (docs/protocol-support.md, "Reading")."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from uftp.messages import Message, Metadata, SignedMessage


class InvalidXML(Exception):
    """Bytes that are no UFTP: not well-formed, with a DOCTYPE, or not schema-valid. One line: what, and where."""


class UnusableValue(Exception):
    """A schema-valid value that no calendar or database holds. One line for an `Invalid Message`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a valid message says in its root element."""

    message_type: str
    attributes: dict[str, str]
    message_id: str
    conversation_id: str
    version: str
    sender_domain: str
    recipient_domain: str


class PointLine(NamedTuple):
    """One congestion point of a DSOPortfolioUpdate; `number` counts from 0."""

    number: int
    address: str
    start: date
    end: date | None
    mutex: bool
    day_ahead: str
    intraday: str | None


class MembershipLine(NamedTuple):
    """One connection of the congestion point that is number `number_of_point`."""

    number_of_point: int
    address: str
    start: date
    end: date | None


def open_envelope(body: bytes) -> SignedMessage:
    """The SignedMessage in `body`. Raises InvalidXML."""
    raise NotImplementedError


def check(content: bytes | memoryview, major: int) -> Header:
    """Validate a message as it arrives on the path of `major`. Raises InvalidXML."""
    raise NotImplementedError


def metadata(header: Header) -> Metadata:
    """The metadata of a valid message. Raises UnusableValue."""
    raise NotImplementedError


def parse(content: bytes | memoryview) -> Message:
    """A whole message that check() has passed. Raises UnusableValue."""
    raise NotImplementedError


def stream_connections(content: bytes | memoryview) -> Iterator[tuple[str, date, date | None]]:
    """(address, first day, last day or None) of each line of an AGRPortfolioUpdate. Raises UnusableValue."""
    raise NotImplementedError


def stream_congestion_points(content: bytes | memoryview) -> Iterator[PointLine | MembershipLine]:
    """The lines of a DSOPortfolioUpdate, each point before its connections. Raises UnusableValue."""
    raise NotImplementedError
