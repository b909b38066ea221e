"""Until when a DSO must release."""

from datetime import UTC, date, datetime, time

import pytest

from reservations.deadlines import Deadline

AMSTERDAM = "Europe/Amsterdam"


@pytest.mark.parametrize(
    ("deadline", "period", "moment"),
    [
        (Deadline(days=1, at=time(12)), date(2026, 7, 2), datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (Deadline(days=0, at=time(6, 30)), date(2026, 1, 2), datetime(2026, 1, 2, 5, 30, tzinfo=UTC)),
        (Deadline(days=3, at=time(12)), date(2026, 3, 30), datetime(2026, 3, 27, 11, tzinfo=UTC)),
        (Deadline(hours=6), date(2026, 7, 2), datetime(2026, 7, 1, 16, tzinfo=UTC)),
        (Deadline(hours=0), date(2026, 7, 2), datetime(2026, 7, 1, 22, tzinfo=UTC)),
        # 24 hours before the day after the clock changed: an hour later, or earlier, on the wall.
        (Deadline(hours=24), date(2026, 3, 30), datetime(2026, 3, 28, 22, tzinfo=UTC)),
        (Deadline(hours=24), date(2026, 10, 26), datetime(2026, 10, 24, 23, tzinfo=UTC)),
        # 02:30 does not exist on the day of spring and comes twice on that of autumn.
        (Deadline(days=0, at=time(2, 30)), date(2026, 3, 29), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
        (Deadline(days=0, at=time(2, 30)), date(2026, 10, 25), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
    ],
)
def test_F18_the_deadline_of_a_period(deadline: Deadline, period: date, moment: datetime) -> None:
    assert deadline.moment(period, AMSTERDAM) == moment


@pytest.mark.parametrize(
    ("deadline", "words"),
    [
        (Deadline(days=0, at=time(6)), "on the day at 06:00"),
        (Deadline(days=1, at=time(12, 30)), "the day before at 12:30"),
        (Deadline(days=2, at=time(9, 0, 5)), "2 days before at 09:00:05"),
        (Deadline(hours=1), "1 hour before the day begins"),
        (Deadline(hours=6), "6 hours before the day begins"),
    ],
)
def test_a_deadline_in_words(deadline: Deadline, words: str) -> None:
    assert str(deadline) == words
