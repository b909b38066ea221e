"""The ISPs that an update names, held against the day and the contract.

There may be a million elements in an update, and each may run for 10^18 ISPs: none is ever laid out, ranges are
compared as ranges. What is found is given as ranges too: first and last ISP, both inclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from uftp.protocol.messages import ISP

Ranges = list[tuple[int, int]]

_UNNAMED = -(1 << 64)
"""Less than any Power, of either sign."""


def after_the_day(said: Sequence[ISP], many: int) -> Ranges:
    """Which of the ISPs named are none of a day of `many` (docs/rules.md F6)."""
    return [(max(each.start, many + 1), _last(each)) for each in said if _last(each) > many]


def named_twice(said: Sequence[ISP]) -> Ranges:
    """Which ISPs more than one element names, on the day or not (docs/rules.md F7)."""
    found: Ranges = []
    reached = 0
    for each in sorted(said, key=attrgetter("start")):
        last = _last(each)
        if each.start <= reached:
            found.append((each.start, min(last, reached)))
        reached = max(reached, last)
    return found


class Powers:
    """The least and the greatest Power said of each ISP of a day with `contracted` watts, and what is wrong in them."""

    def __init__(self, said: Sequence[ISP], contracted: Sequence[int]) -> None:
        self._contracted = contracted
        self._greatest = _greatest(said, len(contracted), lambda each: each.power)
        self._least = [-watts for watts in _greatest(said, len(contracted), lambda each: -each.power)]

    def outside_the_contract(self) -> Ranges:
        """Which of the ISPs named have nothing contracted (docs/rules.md F6)."""
        return self._where(lambda contracted, least, greatest: contracted == 0)

    def of_the_other_direction(self) -> Ranges:
        """Which ISPs have a Power whose sign is not the contract's; 0 W has none (docs/rules.md F9)."""
        return self._where(
            lambda contracted, least, greatest: (contracted > 0 > least) or (contracted < 0 < greatest)
        )

    def more_than_contracted(self) -> Ranges:
        """Which ISPs have a Power beyond the contract's in its own direction (docs/rules.md F9)."""
        return self._where(
            lambda contracted, least, greatest: (0 < contracted < greatest) or (0 > contracted > least)
        )

    def _where(self, wrong: Callable[[int, int, int], bool]) -> Ranges:
        rows = enumerate(zip(self._contracted, self._least, self._greatest, strict=True), start=1)
        return [(isp, isp) for isp, row in rows if row[-1] != _UNNAMED and wrong(*row)]


def _last(isp: ISP) -> int:
    return isp.start + isp.duration - 1


def _greatest(said: Sequence[ISP], many: int, value: Callable[[ISP], int]) -> list[int]:
    """The greatest value of the elements that name an ISP, for each ISP of a day of `many`; _UNNAMED without any.

    A range is covered by two of the next smaller power of two in length, which may overlap: each element is noted at
    these two, and each length is handed down to its two halves in the end.
    """
    by_length = [[_UNNAMED] * many for _ in range(many.bit_length())]
    for each in said:
        if each.start > many:
            continue
        last = min(_last(each), many)
        power_of_two = (last - each.start + 1).bit_length() - 1
        row = by_length[power_of_two]
        watts = value(each)
        for index in (each.start - 1, last - (1 << power_of_two)):
            row[index] = max(row[index], watts)
    for power_of_two in range(len(by_length) - 1, 0, -1):
        halves, half = by_length[power_of_two - 1], 1 << (power_of_two - 1)
        for index, watts in enumerate(by_length[power_of_two]):
            if watts != _UNNAMED:
                halves[index] = max(halves[index], watts)
                halves[index + half] = max(halves[index + half], watts)
    return by_length[0]
