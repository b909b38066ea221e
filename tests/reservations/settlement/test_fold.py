"""What remains of a contract's power after updates, without a database."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from reservations.settlement.remaining import CountingUpdate, fold

Said = tuple[int, int, int]
"""Start, Duration and Power."""


def update(number: int, *isps: Said) -> CountingUpdate:
    return CountingUpdate(number, 1, f"R{number}", f"m{number}", datetime(2026, 7, 1, tzinfo=UTC), isps)


def test_F11_what_no_update_names_stays_as_contracted() -> None:
    remaining, by = fold((0, 500, 500, 500), [update(1, (3, 1, 200))])
    assert remaining == (0, 500, 200, 500)
    assert [each and each.id for each in by] == [None, None, 1, None]


def test_F11_the_latest_update_that_names_an_isp_counts_for_it() -> None:
    updates = [update(1, (1, 4, 300)), update(2, (2, 2, 0)), update(3, (3, 1, 400))]
    remaining, by = fold((500,) * 4, updates)
    assert remaining == (300, 0, 400, 300)
    assert [each and each.id for each in by] == [1, 2, 3, 1]


def test_F11_never_more_than_contracted_remains_nor_anything_of_the_other_direction() -> None:
    said = update(1, (1, 1, 900), (2, 1, -100), (3, 1, 100), (4, 1, -900), (5, 1, 100))
    assert fold((500, 500, -500, -500, 0), [said])[0] == (500, 0, 0, -500, 0)


def test_isps_beyond_the_day_of_another_version_are_left_out() -> None:
    assert fold((500, 500), [update(1, (2, 10**18, 100))])[0] == (500, 100)


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    st.lists(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(-3, 3)), max_size=4)),
)
def test_F11_isp_by_isp(contracted: list[int], said: list[list[Said]]) -> None:
    model = dict(enumerate(contracted, 1))
    for isps in said:
        for start, duration, watts in isps:
            for isp in range(start, start + duration):
                if isp in model:
                    most = contracted[isp - 1]
                    same_direction = watts * most > 0
                    model[isp] = (watts if abs(watts) <= abs(most) else most) if same_direction else 0
    remaining, _ = fold(contracted, [update(number, *isps) for number, isps in enumerate(said)])
    assert dict(enumerate(remaining, 1)) == model
