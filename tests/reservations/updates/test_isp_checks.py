"""What is found in ranges is what is found by laying every element out, ISP by ISP."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from reservations.isps import calendar
from reservations.updates import isp_checks
from uftp.protocol.messages import ISP

WATTS = st.integers(-3, 3)
ELEMENTS = st.lists(
    st.builds(ISP, power=WATTS, start=st.integers(1, 40), duration=st.integers(1, 40)), max_size=12
)
CONTRACTED = st.lists(WATTS, min_size=1, max_size=30)


def words(found: set[int]) -> list[str]:
    return calendar.in_words(found)


@given(said=ELEMENTS, contracted=CONTRACTED)
def test_F6_F7_F9_ranges_say_what_single_isps_say(said: list[ISP], contracted: list[int]) -> None:
    many = len(contracted)
    laid_out = [(isp, each.power) for each in said for isp in range(each.start, each.start + each.duration)]
    named = Counter(isp for isp, _ in laid_out)
    on_the_day = [(isp, watts, contracted[isp - 1]) for isp, watts in laid_out if isp <= many]

    found = isp_checks.isps_beyond_day(said, many)
    assert calendar.ranges_in_words(found) == words({isp for isp in named if isp > many})
    found = isp_checks.isps_named_twice(said)
    assert calendar.ranges_in_words(found) == words({isp for isp, times in named.items() if times > 1})

    powers = isp_checks.Powers(said, contracted)
    assert calendar.ranges_in_words(powers.outside_the_contract()) == words(
        {isp for isp, _, most in on_the_day if not most}
    )
    assert calendar.ranges_in_words(powers.of_the_other_direction()) == words(
        {isp for isp, watts, most in on_the_day if watts * most < 0}
    )
    assert calendar.ranges_in_words(powers.more_than_contracted()) == words(
        {isp for isp, watts, most in on_the_day if watts * most > 0 and abs(watts) > abs(most)}
    )
