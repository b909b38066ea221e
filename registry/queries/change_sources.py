"""Describe where a change came from."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from registry.market.market import market
from registry.models import Change


def source_in_words(change: Change) -> str:
    """Return who made the change and when: `by kim on 2026-07-01 14:00:05 CEST`, in the market's time zone."""
    return f"by {source_name(change)} {_on(change.moment)}".rstrip()


def source_name(change: Change) -> str:
    """Return the source of the change: a message and its sender, a delivery, an import, or a member of staff."""
    if change.message is not None:
        passed_on = "delivery of " if change.kind == Change.Kind.DELIVERY else ""
        return f"{passed_on}{change.message.message_type} of {change.message.sender}"
    if change.kind == Change.Kind.IMPORT:
        return f"import {change.file_name}"
    return change.actor


def _on(moment: datetime | None) -> str:
    return f"on {moment.astimezone(ZoneInfo(market().time_zone)):%Y-%m-%d %H:%M:%S %Z}" if moment else ""
