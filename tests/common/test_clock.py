"""What time it is."""

from datetime import UTC, datetime, timedelta

from pytest_django import Settings

from common import clock

STANDS = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_the_clock_runs(settings: Settings) -> None:
    settings.DEBUG, settings.CRO_NOW = False, STANDS

    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.now().utcoffset() == timedelta(0)


def test_the_clock_stands_for_a_test(settings: Settings) -> None:
    settings.DEBUG, settings.CRO_NOW = True, STANDS

    assert clock.now() == STANDS
