"""Print the messages of the demo: sender, recipient, type and content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shapeshifter_uftp.uftp import (
    AgrPortfolioQueryResponse,
    AgrPortfolioUpdate,
    DsoPortfolioQuery,
    DsoPortfolioQueryResponse,
    DsoPortfolioUpdate,
    FlexReservationUpdate,
    PayloadMessage,
)

from demo.exchange import active_aggregators, placeholder, portfolio
from demo.participants import type_name

if TYPE_CHECKING:
    from uftp.models import InboundMessage


def short(identifier: str | None) -> str:
    """Return the first eight digits of a UUID, which are enough to tell the messages of one demo apart."""
    return (identifier or "")[:8]


def heading(text: str) -> None:
    """Print the heading of a part of the demo."""
    print(f"\n{text}")


def show(message: PayloadMessage, answers: PayloadMessage | None = None) -> None:
    """Print `message`, sent or received, and the request that it answers."""
    result = getattr(message, "result", None) if "Response" in type(message).__name__ else None
    words = [] if result is None or "TestMessage" in type(message).__name__ else [str(result)]
    if reason := getattr(message, "rejection_reason", None):
        words.append(f"“{reason}”")
    if answers:
        words.append(f"answers {short(answers.message_id)}")
    else:
        words.append(f"conversation {short(message.conversation_id)}")
    name = type_name(type(message))
    _show_line(message.sender_domain, message.recipient_domain, name, message.message_id, ", ".join(words))
    for line in details(message):
        print(f"        {line}")


def show_stored(message: InboundMessage, sender: str, recipient: str, answers: PayloadMessage) -> None:
    """Print a message that the CRO has received from `sender`, as its database has it."""
    text = f"received by the CRO, answers {short(answers.message_id)}"
    _show_line(sender, recipient, message.message_type, message.message_id, text)


def note(text: str) -> None:
    """Print a line about the message above."""
    print(f"        {text}")


def _show_line(
    sender: str | None, recipient: str | None, name: str, message_id: str | None, text: str
) -> None:
    print(f"  {sender:>16} → {recipient:<16}  {name:<29}  {short(message_id)}  {text}")


def details(message: Any) -> list[str]:
    """Return the content of a message in words, a line for each item."""
    if isinstance(message, AgrPortfolioUpdate):
        return [f"{c.entity_address}  {_days(c)}" for c in message.connections]
    if isinstance(message, DsoPortfolioUpdate):
        return [
            line
            for point in message.congestion_points
            for line in (
                f"{point.entity_address}  {_days(point)}  {_terms(point)}",
                *(f"    {c.entity_address}  {_days(c)}" for c in point.connections),
            )
        ]
    if isinstance(message, AgrPortfolioQueryResponse):
        return _portfolio(message)
    if isinstance(message, DsoPortfolioQuery):
        return [f"on {message.period}: {message.entity_address}"]
    if isinstance(message, DsoPortfolioQueryResponse):
        points = active_aggregators(message)
        return [f"on {message.period}:" + ("" if points else " no connections")] + [
            line
            for address, lines in points.items()
            for line in (address, *(f"    {c}  {agr or 'no active aggregator'}" for c, agr in lines))
        ]
    if isinstance(message, FlexReservationUpdate):
        left = ", ".join(f"{isp.power} W in {_isps(isp.start, isp.duration)}" for isp in message.isps)
        return [f"on {message.period} under {message.contract_id}, what remains reserved: {left}"]
    return [f"on {message.period}"] if hasattr(message, "period") else []


def _portfolio(message: AgrPortfolioQueryResponse) -> list[str]:
    content = portfolio(message)
    lines = [f"on {message.period}:"]
    for point in content.points:
        if point == placeholder(str(message.sender_domain)):
            lines.append("in no congestion point (the placeholder that the schema demands)")
            continue
        lines.append(f"{point.dso_domain}: {point.address}  {_terms(point)}")
        lines.extend(f"    {address}" for address in point.connections)
    if content.unallocated:
        lines.append("not allocated by any DSO:")
        lines.extend(f"    {address}" for address in content.unallocated)
    return lines


def _days(line: Any) -> str:
    return f"from {line.start_period}" + (f" to {line.end_period}" if line.end_period else "")


def _isps(start: int, duration: int) -> str:
    return f"ISP {start}" if duration == 1 else f"ISPs {start} to {start + duration - 1}"


def _terms(point: Any) -> str:
    intraday = point.intraday_redispatch_by
    return (
        f"({'mutex offers, ' if point.mutex_offers_supported else ''}"
        f"redispatch by {point.day_ahead_redispatch_by} day-ahead"
        f"{f' and {intraday} intraday' if intraday else ''})"
    )
