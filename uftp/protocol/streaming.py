"""The lines of a valid update, one by one (docs/protocol-support.md, "Reading").

The memory needed does not grow with the length of the update.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any, Generic, NamedTuple, TypeVar

from lxml import etree

from uftp.protocol.messages import ISP
from uftp.protocol.validation import HARDENED, PIECE_BYTES
from uftp.protocol.values import boolean, day, end_day, integer

_Line = TypeVar("_Line")


class PointLine(NamedTuple):
    """A congestion point of a DSOPortfolioUpdate. `number` counts from 0. Days are inclusive."""

    number: int
    address: str
    start: date
    end: date | None
    mutex: bool
    day_ahead: str
    intraday: str | None


class MembershipLine(NamedTuple):
    """A connection of the congestion point with the number `number_of_point`. Days are inclusive."""

    number_of_point: int
    address: str
    start: date
    end: date | None


def stream_connections(content: bytes | memoryview) -> Iterator[tuple[str, date, date | None]]:
    """Yield the address, the first day, and the last day or None, of each line of an AGRPortfolioUpdate.

    Days are inclusive.

    Raises:
        UnusableValue: A day cannot be stored. It is raised when its line is reached.
    """

    def line(name: str, attributes: Mapping[str, str]) -> tuple[str, date, date | None] | None:
        if name != "Connection":
            return None
        return (
            attributes["EntityAddress"],
            day(attributes["StartPeriod"]),
            end_day(attributes.get("EndPeriod")),
        )

    return _lines(content, line)


def stream_congestion_points(content: bytes | memoryview) -> Iterator[PointLine | MembershipLine]:
    """Yield the lines of a DSOPortfolioUpdate: each congestion point, then its connections.

    Raises:
        UnusableValue: A day cannot be stored. It is raised when its line is reached.
    """
    number = -1

    def line(name: str, attributes: Mapping[str, str]) -> PointLine | MembershipLine | None:
        nonlocal number
        if name not in ("Connection", "CongestionPoint"):
            return None
        address, start, end = (
            attributes["EntityAddress"],
            day(attributes["StartPeriod"]),
            end_day(attributes.get("EndPeriod")),
        )
        if name == "Connection":
            return MembershipLine(number, address, start, end)
        number += 1
        return PointLine(
            number,
            address,
            start,
            end,
            boolean(attributes["MutexOffersSupported"]),
            attributes["DayAheadRedispatchBy"],
            attributes.get("IntradayRedispatchBy"),
        )

    return _lines(content, line)


def stream_isps(content: bytes | memoryview) -> Iterator[ISP]:
    """Yield the ISPs of a FlexReservationUpdate.

    Raises:
        UnusableValue: A number cannot be stored. It is raised when its ISP is reached.
    """

    def line(name: str, attributes: Mapping[str, str]) -> ISP | None:
        if name != "ISP":
            return None
        return ISP(
            power=integer(attributes["Power"], "Power"),
            start=integer(attributes["Start"], "Start"),
            duration=integer(attributes.get("Duration", "1"), "Duration"),
        )

    return _lines(content, line)


class _Collector(Generic[_Line]):
    """A parser target that turns elements into lines. Elements of other namespaces are skipped with their content."""

    def __init__(self, line: Callable[[str, Mapping[str, str]], _Line | None]) -> None:
        self.lines: list[_Line] = []
        self._line = line
        self._foreign_depth = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._foreign_depth or name[0] == "{":
            self._foreign_depth += 1
            return
        line = self._line(name, attributes)
        if line is not None:
            self.lines.append(line)

    def end(self, name: str) -> None:
        if self._foreign_depth:
            self._foreign_depth -= 1

    def close(self) -> None:
        """Do nothing at the end of the document."""


def _lines(
    content: bytes | memoryview, line: Callable[[str, Mapping[str, str]], _Line | None]
) -> Iterator[_Line]:
    collector = _Collector(line)
    target: Any = collector
    parser = etree.XMLParser(target=target, **HARDENED)
    view = memoryview(content)
    for start in range(0, len(view), PIECE_BYTES):
        parser.feed(view[start : start + PIECE_BYTES].tobytes())
        yield from collector.lines
        collector.lines.clear()
    parser.close()
    yield from collector.lines
