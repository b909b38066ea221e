"""Random histories for the second model: what is sent, settled and chosen as the days go by.

Each is drawn from its number alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.registry.model_days import Line, Point, Terms
from tests.registry.steps import Adjust, AgrUpdate, DaysGoBy, DsoUpdate, SendAgain, SetPolicy, Settle
from tests.registry.world import AGRS, CONNECTIONS, DSOS, POINTS

STEPS = 20
REDISPATCH = Terms(True, "DSO", "AGR")
POLICIES = {
    "representation conflicts": ("hold", "reject", "newest wins"),
    "membership conflicts": ("allow", "hold", "allow", "reject"),
    "omitted connections": ("keep", "end"),
    **{f"P{number}": ("reject", "adjust", "accept") for number in range(1, 8)},
}


@dataclass(frozen=True)
class SettleAnew:
    which: int
    decision: str


Step = DaysGoBy | SetPolicy | AgrUpdate | DsoUpdate | SendAgain | Settle | SettleAnew | Adjust


@dataclass(frozen=True)
class Mix:
    """How often what happens in a history: parts of all steps, or of those that are updates."""

    dsos: int = 3
    points: int = 2
    homes: int = 3
    from_agrs: float = 0.15
    endings: float = 0.25
    """Of the lines about congestion points, those that end them."""
    days: float = 0.12
    policies: float = 0.12
    again: float = 0.12
    staff: float = 0.1
    twice: float = 0.25
    """Of the updates of congestion points, those that state one of them twice."""
    chosen: tuple[str, ...] = tuple(POLICIES)
    """The policies that change."""
    several_hold: bool = False
    """Half of the histories begin with two DSOs that hold a connection, and a third that claims it."""
    lasting: float = 0.2
    """Of the days that are stated, those that begin about today and have no end."""


MIXES = (
    Mix(),
    Mix(
        dsos=1,
        points=1,
        homes=2,
        from_agrs=0,
        endings=0.5,
        days=0.2,
        policies=0.06,
        again=0.25,
        staff=0.05,
        twice=0.35,
    ),
    Mix(
        homes=1,
        from_agrs=0,
        endings=0.1,
        days=0.06,
        policies=0.2,
        again=0.05,
        staff=0.25,
        chosen=("membership conflicts",),
        several_hold=True,
        lasting=0.6,
    ),
    Mix(homes=1, from_agrs=1, again=0.08, staff=0.25, chosen=("representation conflicts",), lasting=0.4),
    Mix(
        dsos=2,
        points=1,
        homes=2,
        from_agrs=0,
        endings=0.15,
        policies=0.25,
        chosen=("P3", "P4", "P5", "P6", "P7", "P7", "omitted connections"),
    ),
)


class Draw:
    """One history, drawn from its number: what happens, with the days as they are then."""

    def __init__(self, number: int) -> None:
        self.random = Random(number)
        self.mix = MIXES[number % len(MIXES)]
        self.today = 0
        self.homes = CONNECTIONS[: self.mix.homes]
        self.points = POINTS[: self.mix.points]
        self.usual_last = self.random.choice((None, 9, 30))

    def history(self) -> list[Step]:
        start: list[Step] = [SetPolicy("P2 days", "4")]
        start += [SetPolicy(rule, "adjust") for rule in ("P1", "P5") if self.random.random() < 0.8]
        start += [self.policy() for _ in range(self.random.randint(1, 4))]
        if self.mix.several_hold and self.random.random() < 0.5:
            start += self.several_hold()
        return start + [self.step() for _ in range(STEPS)]

    def several_hold(self) -> list[Step]:
        point = Point(self.points[0], -6, None, (Line(CONNECTIONS[0], 0, None),), Terms())
        one, other, third = (DsoUpdate(dso, (point,)) for dso in self.random.sample(DSOS, 3))
        first = SetPolicy("membership conflicts", self.random.choice(("hold", "allow")))
        allow, hold = (SetPolicy("membership conflicts", value) for value in ("allow", "hold"))
        return [first, one, allow, other, hold, third]

    def policy(self) -> SetPolicy:
        name = self.random.choice(self.mix.chosen)
        return SetPolicy(name, self.random.choice(POLICIES[name]))

    def step(self) -> Step:
        mix = self.mix
        kind = self.random.choices(
            ("days", "policy", "again", "staff", "update"),
            (
                mix.days,
                mix.policies,
                mix.again,
                mix.staff,
                1 - mix.days - mix.policies - mix.again - mix.staff,
            ),
        )[0]
        if kind == "days":
            days = self.random.choice((1, 1, 2, 3, 6))
            self.today += days
            return DaysGoBy(days)
        if kind == "policy":
            return self.policy()
        if kind == "again":
            return SendAgain(self.random.randrange(3))
        if kind == "staff":
            verb = self.random.random()
            if verb < 0.2:
                moves = (0, 0, 2, -2, 4, -5)
                return Adjust(
                    self.random.randrange(12), self.random.choice(moves), self.random.choice((*moves, None))
                )
            if verb < 0.4:
                return SettleAnew(self.random.choice((0, 0, 1, 2)), self.random.choice(("keep", "give")))
            decision = self.random.choice(("keep", "give", "split"))
            return Settle(self.random.randrange(6), decision, self.random.randrange(1, 7))
        if self.random.random() < mix.from_agrs:
            lines = [Line(self.home(), *self.period()) for _ in range(self.random.choice((1, 1, 1, 2, 3)))]
            return AgrUpdate(self.random.choice(AGRS), tuple(lines))
        names = self.random.sample(self.points, self.random.randint(1, len(self.points)))
        if self.random.random() < self.mix.twice:
            names.append(names[0])
        return DsoUpdate(self.random.choice(DSOS[: mix.dsos]), tuple(self.point(name) for name in names))

    def home(self) -> str:
        return self.random.choice(self.homes)

    def period(self) -> tuple[int, int | None]:
        if self.random.random() < self.mix.lasting:
            return self.today + self.random.choice((-1, 0, 0, 2)), None
        first = self.today + self.random.choice((0, 0, 1, -1, 2, -3, 4, -6, 7, -8, 11, -12))
        length = self.random.choice((None, None, 0, 1, 2, 3, 6, 9, 25, -1, -2, -4))
        return first, None if length is None else first + length

    def point(self, name: str) -> Point:
        kind = self.random.random()
        days: tuple[int, int | None]
        if kind < self.mix.endings:
            last = self.today + self.random.choice((0, 0, 0, 0, -1, -1, -2, -3, -5))
            days = last + self.random.choice((0, 0, -1, -2, -3, -5, -9, 1, 3)), last
        elif kind < self.mix.endings + 0.25:
            days = self.period()
        else:
            first = self.today + self.random.choice((-6, -6, -1, 0, 3))
            days = first, None if self.usual_last is None else self.today + self.usual_last
        homes = self.random.sample(self.homes, self.random.randint(0, len(self.homes)))
        homes = homes or self.random.sample(self.homes, self.random.randint(0, 1))
        lines = [Line(home, *(days if self.random.random() < 0.5 else self.period())) for home in homes]
        if lines and self.random.random() < 0.15:
            lines.append(Line(lines[0].connection, *self.period()))
        terms = REDISPATCH if self.random.random() < 0.1 else Terms()
        return Point(name, *days, tuple(lines), terms)


def dso(number: int, *days: int | None, lists: tuple[Line, ...] = ()) -> DsoUpdate:
    """An update of one congestion point, from the first to the last of the days."""
    first, last = days
    assert first is not None
    return DsoUpdate(f"dso-{number}", (Point(POINTS[0], first, last, lists, Terms()),))


X, Y = CONNECTIONS[:2]
ALLOW, HOLD = (SetPolicy("membership conflicts", value) for value in ("allow", "hold"))
CLAIMED = (Line(X, 0, None),)
WITHDRAWN = (Line(X, 9, -7),)

RARE: dict[str, list[Step]] = {
    "a line that P4 adjusts replaces from its StartPeriod on": [
        SetPolicy("P4", "accept"),
        dso(1, 0, None, lists=(Line(X, -6, None),)),
        SetPolicy("P4", "adjust"),
        dso(1, 0, None, lists=(Line(X, -6, 9),)),
    ],
    "a later block that is withdrawn in part": [
        AgrUpdate("agr-1", (Line(X, -3, 30),)),
        AgrUpdate("agr-1", (Line(X, -10, -5), Line(X, 20, 10))),
    ],
    "a block that is withdrawn in part and overlaps what is stated": [
        AgrUpdate("agr-1", (Line(X, -3, 30),)),
        AgrUpdate("agr-1", (Line(X, -10, -8), Line(X, 15, 20), Line(X, 9, 7))),
    ],
    "a block that touches what is stated only with withdrawn days": [
        AgrUpdate("agr-1", (Line(X, -3, 14),)),
        AgrUpdate("agr-1", (Line(X, -10, -8), Line(X, 15, 20), Line(X, 9, 7))),
    ],
    "what P5 leaves no days is not omitted": [
        SetPolicy("omitted connections", "end"),
        SetPolicy("P5", "adjust"),
        dso(1, 0, 30, lists=(Line(X, 0, 30), Line(Y, 0, 30))),
        dso(1, 0, 30, lists=(Line(X, 0, 30), Line(Y, 40, 50))),
    ],
    "a claim that has come to count beside another is never exclusive again": [
        dso(2, -6, None, lists=CLAIMED),
        dso(3, -6, None, lists=CLAIMED),
        ALLOW,
        dso(1, -6, None, lists=CLAIMED),
        HOLD,
        Settle(0, "give", 1),
        dso(1, -6, None, lists=WITHDRAWN),
        SettleAnew(0, "keep"),
        dso(2, -6, None, lists=WITHDRAWN),
        ALLOW,
        dso(1, -6, None, lists=CLAIMED),
        HOLD,
        dso(2, -6, None, lists=CLAIMED),
    ],
    "a claim is as exclusive at another congestion point": [
        dso(3, -6, None, lists=CLAIMED),
        ALLOW,
        dso(1, -6, None, lists=CLAIMED),
        HOLD,
        DsoUpdate("dso-3", (Point(POINTS[1], -6, None, CLAIMED, Terms()),)),
        dso(3, -6, None, lists=WITHDRAWN),
        dso(2, -6, None, lists=CLAIMED),
    ],
    "a claim that was made under allow is not exclusive at another congestion point either": [
        ALLOW,
        dso(3, -6, None, lists=CLAIMED),
        HOLD,
        DsoUpdate("dso-3", (Point(POINTS[1], -6, None, CLAIMED, Terms()),)),
        ALLOW,
        dso(1, -6, None, lists=CLAIMED),
        HOLD,
        dso(2, -6, None, lists=CLAIMED),
    ],
    "a line that lies outside its congestion point repeats nothing": [
        SetPolicy("P5", "adjust"),
        SetPolicy("P6", "reject"),
        dso(1, 1, None, lists=(Line(X, -5, -4), Line(X, -5, -4))),
        dso(1, 1, None, lists=(Line(X, -5, 3), Line(X, -5, -4), Line(X, 5, 9))),
    ],
    "staff's days are never made under allow": [
        ALLOW,
        dso(3, -6, None, lists=(Line(X, 0, 9),)),
        Adjust(1, 0, None),
        dso(1, -6, None, lists=CLAIMED),
        HOLD,
        dso(2, -6, None, lists=CLAIMED),
    ],
    "an end at once that is stated again beside days that cover it": [
        dso(1, -6, 0),
        DaysGoBy(2),
        DsoUpdate("dso-1", (Point(POINTS[0], -6, 0, (), Terms()), Point(POINTS[0], 0, 9, CLAIMED, Terms()))),
        dso(1, -6, 0),
        dso(1, 0, 9),
        dso(1, -6, 0),
    ],
    "a congestion point that is stated with its past withdrawn and its end at once": [
        dso(1, -6, None, lists=(Line(X, -6, None),)),
        SetPolicy("P1", "adjust"),
        dso(1, 3, 0),
        DaysGoBy(2),
        SendAgain(0),
        dso(1, -6, None),
        SendAgain(1),
    ],
}
"""Histories about what random ones hardly meet."""
