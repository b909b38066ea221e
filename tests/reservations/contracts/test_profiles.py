"""What a contract reserves: stretches of ISPs by every day, day of the week and single day."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reservations.contracts.profiles import Profile, ProfileError, Stretch, check, normalised_stretches

AMSTERDAM = "Europe/Amsterdam"
USUAL, SPRING, AUTUMN = date(2026, 7, 1), date(2026, 3, 29), date(2026, 10, 25)
EVENING = (Stretch(69, 80, 1000),)
"""17:00 to 20:00."""


def watts(profile: Profile, day: date) -> dict[int, int]:
    """The ISPs of `day` that are in the contract, with their watts."""
    return {isp: power for isp, power in enumerate(profile.watts_on(day, 15, AMSTERDAM), 1) if power}


def test_F16_a_profile_of_every_day_goes_by_the_clock_on_the_wall() -> None:
    profile = Profile(EVENING)
    assert watts(profile, USUAL) == dict.fromkeys(range(69, 81), 1000)
    assert watts(profile, SPRING) == dict.fromkeys(range(65, 77), 1000)
    assert watts(profile, AUTUMN) == dict.fromkeys(range(73, 85), 1000)


def test_F16_a_repeated_hour_has_its_power_twice_and_a_skipped_one_not_at_all() -> None:
    night = Profile((Stretch(9, 12, -500),))
    assert watts(night, AUTUMN) == dict.fromkeys(range(9, 17), -500)
    assert watts(night, SPRING) == {}


def test_F16_a_single_day_goes_by_its_own_isps() -> None:
    profile = Profile(EVENING, days={AUTUMN: (Stretch(97, 100, 7),), SPRING: (Stretch(92, 92, 8),)})
    assert watts(profile, AUTUMN) == dict.fromkeys(range(97, 101), 7)
    assert watts(profile, SPRING) == {92: 8}


def test_a_single_day_comes_before_its_day_of_the_week_and_that_before_every_day() -> None:
    wednesday = USUAL.isoweekday()
    profile = Profile(EVENING, weekdays={wednesday: (Stretch(1, 1, 5),), 4: ()}, days={date(2026, 7, 8): ()})
    assert watts(profile, USUAL) == {1: 5}
    assert watts(profile, date(2026, 7, 2)) == {}
    assert watts(profile, date(2026, 7, 8)) == {}
    assert watts(profile, date(2026, 7, 3)) == dict.fromkeys(range(69, 81), 1000)


@pytest.mark.parametrize(
    ("profile", "days", "said"),
    [
        (Profile((Stretch(0, 1, 5),)), "every day", "ISPs 0 to 1: the day has ISPs 1 to 96"),
        (Profile((Stretch(96, 97, 5),)), "every day", "ISPs 96 to 97: the day has ISPs 1 to 96"),
        (Profile((Stretch(5, 4, 5),)), "every day", "ISPs 5 to 4: it ends before it begins"),
        (Profile(weekdays={7: (Stretch(1, 4, 5), Stretch(4, 5, 6))}), "Sunday", "ISP 4 is named twice"),
        (
            Profile(days={SPRING: (Stretch(92, 93, 5),)}),
            "2026-03-29",
            "ISPs 92 to 93: the day has ISPs 1 to 92",
        ),
        (Profile((Stretch(1, 1, 10**12 + 1),)), "every day", "at most 1000000000000 W"),
    ],
)
def test_a_profile_that_cannot_be_says_whose_part_is_wrong(profile: Profile, days: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said) as raised:
        check(profile, 15, AMSTERDAM)
    assert raised.value.days == days


def test_the_last_isp_of_an_autumn_day_can_be_reserved() -> None:
    check(Profile((Stretch(96, 96, -1),), days={AUTUMN: (Stretch(100, 100, 1),)}), 15, AMSTERDAM)


stretches = st.lists(st.tuples(st.integers(1, 8), st.sampled_from([0, 100, -100, 200])), max_size=8).map(
    lambda pieces: _laid(pieces)
)


def _laid(pieces: list[tuple[int, int]]) -> tuple[Stretch, ...]:
    laid, first = [], 1
    for length, power in pieces:
        laid.append(Stretch(first, first + length - 1, power))
        first += length
    return tuple(laid)


@given(stretches, st.randoms())
def test_normal_stretches_reserve_the_same_and_are_alike_where_the_days_are(
    said: tuple[Stretch, ...], random: object
) -> None:
    shuffled = list(said)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    tidy = normalised_stretches(shuffled)
    assert Profile(tidy).watts_on(USUAL, 15, AMSTERDAM) == Profile(said).watts_on(USUAL, 15, AMSTERDAM)
    one_by_one = [Stretch(isp, isp, power) for isp, power in watts(Profile(said), USUAL).items()]
    assert tidy == normalised_stretches(one_by_one)
