"""Show a version's state, days, power and differences in a few words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from django.utils.html import format_html
from django.utils.safestring import SafeString

from common.display import PLACEHOLDER
from participants.admin_base.extensions import badge
from registry.periods import in_words, last_day
from reservations.contracts.profiles import Profile
from reservations.contracts.terms import terms_in_words, terms_of
from reservations.isps.clock_times import in_watts
from reservations.models import ContractVersion, VersionProfile

State = ContractVersion.State

NOTHING_RESERVED = (
    "Nothing is reserved on any day: every update is rejected with “ISPs out of bounds”. Change the contract to have it"
    " reserve power."
)


def state_on(version: ContractVersion, today: date) -> tuple[str, str]:
    """Return the tone and the text of the badge for the state of a version on `today`."""
    last = last_day(version.period)
    if version.state == State.DRAFT:
        return "", "Draft"
    if last is not None and last < today:
        return "", "Ended"
    if version.period.lower > today:
        return "warn", f"In force from {version.period.lower}"
    if version.state == State.ENDED:
        return "ok", f"In force, ends {last}"
    return "ok", "In force"


def state_badge(version: ContractVersion, today: date) -> SafeString:
    """Return the badge for the state of a version on `today`; the day in it is not broken over lines."""
    tone, text = state_on(version, today)
    words, _, day = text.rpartition(" ")
    return badge(
        tone, format_html('{} <span class="whole">{}</span>', words, day) if day[:1].isdigit() else text
    )


def days_in_words(version: ContractVersion) -> str:
    """Return the days of a version in words."""
    return in_words(version.period)


def most_watts(rows: Iterable[VersionProfile]) -> int:
    """Return the power farthest from 0 that a version reserves, in watts with its sign; 0 where it reserves none."""
    return max((stretch[2] for row in rows for stretch in row.stretches), key=abs, default=0)


def greatest_in_words(rows: Iterable[VersionProfile]) -> str:
    """Return the power farthest from 0 that a version reserves, in words."""
    found = most_watts(rows)
    return in_watts(found) if found else PLACEHOLDER


def differences(
    before: tuple[ContractVersion, Profile] | None, after: tuple[ContractVersion, Profile]
) -> list[tuple[str, str, str]]:
    """Return (term, before, after) for each term that differs; a placeholder stands for a missing value."""
    terms = [
        terms_in_words(terms_of(version, profile), version.state, version.time_zone) if version else {}
        for version, profile in (before or (None, Profile()), after)
    ]
    names = dict.fromkeys([*terms[1], *terms[0]])
    return [
        (name, terms[0].get(name, PLACEHOLDER), terms[1].get(name, PLACEHOLDER))
        for name in names
        if terms[0].get(name) != terms[1].get(name)
    ]
