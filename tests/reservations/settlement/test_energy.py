"""The energy of a day or a month, as it is shown."""

from reservations.settlement.energy import Energy, Totals


def test_what_is_shown_adds_up() -> None:
    """30.03 kWh contracted, of which 24.2825 remain: both halves of the last Wh are not rounded up."""
    totals = Totals(Energy(up=30_030 * 60), Energy(up=24_282 * 60 + 30))
    shown = [str(each) for each in (totals.contracted, totals.remaining, totals.released)]
    assert shown == ["30.03 kWh", "24.283 kWh", "5.747 kWh"]
    down = Totals(Energy(down=-30_030 * 60), Energy(down=-24_282 * 60 - 30))
    shown = [str(each) for each in (down.contracted, down.remaining, down.released)]
    assert shown == ["−30.03 kWh", "−24.283 kWh", "−5.747 kWh"]


def test_the_sum_of_days_adds_up() -> None:
    """Each day leaves 0.5 Wh."""
    month = sum((Totals(Energy(up=60), Energy(up=30)) for _ in range(3)), Totals())
    assert [str(each) for each in (month.contracted, month.remaining, month.released)] == [
        "0.003 kWh",
        "0.002 kWh",
        "0.001 kWh",
    ]
