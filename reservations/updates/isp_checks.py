"""Checks of the ISPs that an update names, against the day and the contract.

An update may have a million elements, and each may span 10^18 ISPs. So elements are compared as ranges and never
expanded. Results are ranges as well: first and last ISP, both inclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter

from uftp.protocol.messages import ISP

Ranges = list[tuple[int, int]]

_UNNAMED = -(1 << 64)
"""The value of an ISP that no element names; it is below any Power."""


def isps_beyond_day(isps: Sequence[ISP], count: int) -> Ranges:
    """Return the named ISPs beyond the last ISP of a day of `count` (docs/rules.md F6)."""
    return [(max(each.start, count + 1), _last(each)) for each in isps if _last(each) > count]


def isps_named_twice(isps: Sequence[ISP]) -> Ranges:
    """Return the ISPs that more than one element names, also beyond the day (docs/rules.md F7)."""
    found: Ranges = []
    reached = 0
    for each in sorted(isps, key=attrgetter("start")):
        last = _last(each)
        if each.start <= reached:
            found.append((each.start, min(last, reached)))
        reached = max(reached, last)
    return found


class Powers:
    """The least and the greatest stated Power of each ISP of a day with `contracted` watts, and their errors."""

    def __init__(self, isps: Sequence[ISP], contracted: Sequence[int]) -> None:
        self._contracted = contracted
        self._greatest = _greatest(isps, len(contracted), lambda each: each.power)
        self._least = [-watts for watts in _greatest(isps, len(contracted), lambda each: -each.power)]

    def outside_the_contract(self) -> Ranges:
        """Return the named ISPs without contracted power (docs/rules.md F6)."""
        return self._where(lambda contracted, least, greatest: contracted == 0)

    def of_the_other_direction(self) -> Ranges:
        """Return the ISPs with a Power of the other sign than contracted; 0 W has no sign (docs/rules.md F9)."""
        return self._where(
            lambda contracted, least, greatest: (contracted > 0 > least) or (contracted < 0 < greatest)
        )

    def more_than_contracted(self) -> Ranges:
        """Return the ISPs with more Power than contracted in the contract's direction (docs/rules.md F9)."""
        return self._where(
            lambda contracted, least, greatest: (0 < contracted < greatest) or (0 > contracted > least)
        )

    def _where(self, wrong: Callable[[int, int, int], bool]) -> Ranges:
        rows = enumerate(zip(self._contracted, self._least, self._greatest, strict=True), start=1)
        return [(isp, isp) for isp, row in rows if row[-1] != _UNNAMED and wrong(*row)]


def _last(isp: ISP) -> int:
    return isp.start + isp.duration - 1


def _greatest(isps: Sequence[ISP], count: int, value: Callable[[ISP], int]) -> list[int]:
    """Return for each of `count` ISPs the greatest value of the elements that name it; _UNNAMED without any.

    This is a sparse table. Two ranges whose length is a power of two cover each element; they may overlap. Each element
    is entered at these two ranges. At the end, each range hands its value down to its two halves, down to single ISPs.
    """
    by_length = [[_UNNAMED] * count for _ in range(count.bit_length())]
    for each in isps:
        if each.start > count:
            continue
        last = min(_last(each), count)
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
