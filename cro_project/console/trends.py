"""Draw the trends of the dashboard: what there was on each of the last days, as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from common import svg
from common.svg import element, rect
from participants.admin_base.html import moment
from participants.daily_counts import DAYS, EVERY_MINUTES, next_run, trend
from participants.scope import Scope
from registry.queries.daily_counts import OPENED
from uftp.daily_counts import DELIVERED, REJECTED

WIDTH, HEIGHT = 360, 96
BASE = 76
"""Where the columns stand, from the top."""


@dataclass(frozen=True, slots=True)
class Trend:
    """A picture, what it shows, and its numbers in one sentence."""

    title: str
    picture: SafeString
    says: str


MEASURES = (OPENED, REJECTED, *(name for name, _ in DELIVERED))

Days = Mapping[date, Mapping[str, int]]
"""The numbers of each measure on each day that was counted, the earliest first."""


def counted(scope: Scope) -> Days:
    """Return what was counted of all that is drawn."""
    return trend(scope, MEASURES)


def state(days: Days, now: datetime) -> str:
    """Return which days are counted, and when the worker counts the next ones."""
    following = f"the worker counts every {EVERY_MINUTES} minutes, next at {moment(next_run(now))}"
    if not days:
        return f"Not counted yet: {following}."
    if len(days) < DAYS:
        return f"Counted so far: {len(days)} of {DAYS} days, from {min(days)} on. The others follow: {following}."
    return f"Counted every {EVERY_MINUTES} minutes."


def conflicts(days: Days, today: date) -> Trend | None:
    """Return the conflicts that opened on each day."""
    return _trend("conflicts", "Conflicts opened", days, today, [(OPENED, "warn", "")])


def rejections(days: Days, today: date) -> Trend | None:
    """Return the received messages that were rejected on each day."""
    return _trend("rejections", "Messages rejected", days, today, [(REJECTED, "bad", "")])


def deliveries(days: Days, today: date) -> Trend | None:
    """Return how long deliveries took on each day."""
    kinds = ["ok", "other", "warn", "bad"]
    words = ["within 10 seconds", "in 10 to 60 seconds", "in 1 to 60 minutes", "later"]
    parts = [(name, kind, word) for (name, _), kind, word in zip(DELIVERED, kinds, words, strict=True)]
    return _trend("deliveries", "Messages delivered", days, today, parts)


def _trend(
    name: str, title: str, days: Days, today: date, parts: Sequence[tuple[str, str, str]]
) -> Trend | None:
    """Return the picture of what was counted; None if no day was counted yet.

    Args:
        name: Unique in the page.
        title: What is counted.
        days: The numbers of each measure on each day, the earliest first.
        today: The present day, of which the latest minutes are not counted yet.
        parts: Measure, class that colours it, and words for the key, from the bottom of a column to its top.
    """
    if not days:
        return None
    totals = {day: sum(numbers[measure] for measure, _, _ in parts) for day, numbers in days.items()}
    highest, last = max(totals.values()), max(days)
    columns = (_column(day, numbers, parts, highest, last) for day, numbers in days.items())
    axis = [
        svg.line("axis", 0, BASE, WIDTH, BASE),
        svg.text("", 0, HEIGHT - 6, str(last - timedelta(days=DAYS - 1))),
        svg.text("", WIDTH, HEIGHT - 6, str(last), text_anchor="end"),
    ]
    says = _in_words(title, totals, parts, days)
    if not_counted := _not_counted(totals, today):
        says += f" {not_counted}"
    picture = svg.chart(
        f"trend-{name}",
        f"{title} on each day",
        *axis,
        *columns,
        description=says,
        role="img",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
    )
    key = format_html_join("", '<li class="{}">{}</li>', ((kind, words) for _, kind, words in parts if words))
    shown = format_html(
        '<figure class="chart">{}{}</figure>',
        format_html('<ul class="key">{}</ul>', key) if key else "",
        picture,
    )
    return Trend(title, shown, says)


def _column(
    day: date,
    numbers: Mapping[str, int],
    parts: Sequence[tuple[str, str, str]],
    highest: int,
    last: date,
) -> SafeString:
    """Return the column of a day; its title has the numbers."""
    step = WIDTH / DAYS
    left, top = WIDTH - step * ((last - day).days + 1), float(BASE)
    drawn = []
    for measure, kind, _ in parts:
        if number := numbers[measure]:
            height = max((BASE - 6) * number / highest, 1.5)
            top -= height
            drawn.append(rect(kind, left, top, step - 0.8, height))
    return element(
        "g", element("title", f"{day}: {sum(numbers[measure] for measure, _, _ in parts):,}"), *drawn
    )


def _in_words(
    title: str,
    totals: Mapping[date, int],
    parts: Sequence[tuple[str, str, str]],
    days: Days,
) -> str:
    """Return the numbers in one sentence: in all, of each part that is not zero, and on the highest day."""
    total, (most_on, most) = sum(totals.values()), max(totals.items(), key=lambda each: each[1])
    if not total:
        counted_days = "1 day" if len(days) == 1 else f"{len(days)} days"
        return f"{title}: none{'' if len(days) == DAYS else f' on the {counted_days} counted so far'}."
    counts = [(sum(numbers[measure] for numbers in days.values()), words) for measure, _, words in parts]
    shares = ", ".join(f"{_share(count, total)} {words}" for count, words in counts if count and words)
    return f"{total:,} in all{f': {shares}' if shares else ''}; most on {most_on}: {most:,}."


def _not_counted(totals: Mapping[date, int], today: date) -> str:
    """Return what of today is not counted yet; empty where some of today is, so that nobody misses the rest."""
    if today not in totals:
        return "Today is not counted yet."
    return "" if totals[today] else f"The latest {EVERY_MINUTES} minutes of today are not counted yet."


def _share(count: int, total: int) -> str:
    """Return a share in percent. Only nothing is 0.0 %, and only all is 100.0 %."""
    share = min(max(round(100 * count / total, 1), 0.1), 99.9) if count < total else 100.0
    return f"{share:.1f} %"
