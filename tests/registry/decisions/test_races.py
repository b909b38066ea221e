"""Two members of staff at once, or one of them and a message: one is done, and the one who comes second gets an error.

The first is stopped wherever the other could come between (`tests.registry.racing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from participants.models import AuditEntry
from registry.changes import Source
from registry.decisions.adjust import AdjustmentError, Row
from registry.decisions.settle import DecisionError
from registry.models import Change, Conflict
from tests.registry.decisions.decisions import decide, decide_many, membership, move, representation, terms
from tests.registry.dsl import Registry, agr_publishes, days, dso_publishes, point
from tests.registry.model_days import Point, covered
from tests.registry.racing import Step, interleave, outcome, reported
from tests.registry.time_model import TimeModel
from tests.registry.world import ADDRESSES, CONNECTIONS, World, assert_sound, days_of, open_conflicts

KIM, LEE = (Source.of_staff(name, f"{name} was called") for name in ("kim", "lee"))


@dataclass
class Attempts:
    """The attempts of staff: by name, the error of each; None if it was done."""

    errors: dict[str, str | None] = field(default_factory=dict)

    def try_it(self, source: Source, verb: Callable[[], object]) -> None:
        self.errors[source.actor] = None
        try:
            verb()
        except (DecisionError, AdjustmentError) as error:
            self.errors[source.actor] = str(error)

    def one_is_done_and_the_other_fails(self, words: str) -> str:
        """Return who has done it; the error of the other has `words`."""
        done = [name for name, error in self.errors.items() if error is None]
        assert len(done) == 1, self.errors
        (error,) = filter(None, self.errors.values())
        assert words in error
        return done[0]


def each_way(
    world: World, before: list[Step], first: Callable[[Attempts], Step], second: Callable[[Attempts], Step]
) -> Iterator[Attempts]:
    """Run the two at once, the first stopped at each point in turn, `before` each time; yield the attempts of staff."""
    stop_before, reached = 0, True
    while reached:
        stop_before += 1
        world.clear()
        for step in before:
            step(world)
        entries, decided = AuditEntry.objects.count(), decisions()
        attempts = Attempts()
        with reported(f"the second came before statement {stop_before} of the first"):
            reached = interleave(world, first(attempts), second(attempts), stop_before)
            assert_sound()
            done = list(attempts.errors.values()).count(None)
            assert decisions() == decided + done
            assert AuditEntry.objects.count() == entries + done
            yield attempts
    assert stop_before > 3, "the first was never stopped"


def decisions() -> int:
    return Change.objects.filter(kind="staff").count()


def says(step: Step) -> Callable[[Attempts], Step]:
    """A message: no attempt of staff."""
    return lambda attempts: step


def agr(name: str, *lines: tuple[str, int, int | None]) -> Step:
    return lambda registry: agr_publishes(registry, name, *lines)


def dso(name: str, *points: Point) -> Step:
    return lambda registry: dso_publishes(registry, name, *points)


def policy(name: str, value: str) -> Step:
    return lambda registry: registry.set_policy(name, value)


# Decisions

CONTESTED = [
    agr("agr-1", *((home, 0, None) for home in CONNECTIONS)),
    agr("agr-2", *((home, 0, None) for home in CONNECTIONS)),
]


def settles(source: Source, decision: str, home: str = "home-2") -> Callable[[Attempts], Step]:
    """One of them settles the conflict about a home, which was open when the page was shown."""

    def by(attempts: Attempts) -> Step:
        conflict = open_conflicts().get(connection__address=ADDRESSES[home]).pk
        return lambda world: attempts.try_it(source, lambda: decide(world, conflict, decision, source=source))

    return by


def settles_all(source: Source, decision: str) -> Callable[[Attempts], Step]:
    """One of them settles all the conflicts, which were open when the page was shown."""

    def by(attempts: Attempts) -> Step:
        shown = Conflict.objects.filter(pk__in=list(open_conflicts().values_list("pk", flat=True)))
        return lambda world: attempts.try_it(
            source, lambda: decide_many(world, shown, decision, source=source)
        )

    return by


def settles_anew(source: Source, decision: str) -> Callable[[Attempts], Step]:
    """One of them decides anew what was decided first."""

    def by(attempts: Attempts) -> Step:
        conflict = Conflict.objects.filter(decision="keep", replaces=None).get().pk
        return lambda world: attempts.try_it(
            source, lambda: decide(world, conflict, decision, anew=True, source=source)
        )

    return by


def test_C9_two_who_settle_one_conflict(world: World) -> None:
    for attempts in each_way(world, CONTESTED, settles(KIM, "keep"), settles(LEE, "give")):
        done = attempts.one_is_done_and_the_other_fails("is closed: it was settled by ")
        conflict = Conflict.objects.exclude(decision="").get()
        assert (conflict.decided_by, conflict.decision) == (done, "keep" if done == "kim" else "give")
        assert days(world, "agr-2", "home-2") == ("refused 0.." if done == "kim" else "effective 0..")


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_C11_one_who_settles_many_and_one_who_settles_one_of_them(world: World, turned: bool) -> None:
    steps = [settles_all(KIM, "keep"), settles(LEE, "give")]
    for attempts in each_way(world, CONTESTED, *(reversed(steps) if turned else steps)):
        done = attempts.one_is_done_and_the_other_fails("closed")
        if done == "lee":
            assert attempts.errors["kim"] is not None
            assert attempts.errors["kim"].startswith(
                "1 of the 4 conflicts is closed meanwhile: 1 by lee on 20"
            )
        decided = Conflict.objects.exclude(decision="")
        assert set(decided.values_list("decided_by", flat=True)) == {done}
        assert decided.count() == (len(CONNECTIONS) if done == "kim" else 1)


def test_C11_two_who_settle_many(world: World) -> None:
    for attempts in each_way(world, CONTESTED, settles_all(KIM, "keep"), settles_all(LEE, "give")):
        done = attempts.one_is_done_and_the_other_fails("4 of the 4 conflicts are closed meanwhile: 4 by ")
        assert set(Conflict.objects.values_list("decided_by", flat=True)) == {done}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
def test_C11_one_who_settles_many_and_the_claimant_who_lets_go(world: World, turned: bool) -> None:
    lets_go = says(agr("agr-2", ("home-3", 9, -1)))
    steps = [settles_all(KIM, "give"), lets_go]
    for attempts in each_way(world, CONTESTED, *(reversed(steps) if turned else steps)):
        assert days(world, "agr-2", "home-3") == ""
        settled = attempts.errors["kim"] is None
        assert days(world, "agr-2", "home-1") == ("effective 0.." if settled else "contested 0..")
        if not settled:
            assert "1 by AGRPortfolioUpdate of AGR agr-2.example" in str(attempts.errors["kim"])


def test_C12_two_who_decide_anew(world: World) -> None:
    before = [*CONTESTED, lambda world: settles(KIM, "keep")(Attempts())(world)]
    for attempts in each_way(world, before, settles_anew(KIM, "give"), settles_anew(LEE, "give")):
        attempts.one_is_done_and_the_other_fails("decided later, in conflict ")
        assert Conflict.objects.filter(replaces__isnull=False).count() == 1
        assert days(world, "agr-2", "home-2") == "effective 0.."


# Adjustments


@dataclass(frozen=True)
class Adjustment:
    """A row as staff see it, and the days that they give it."""

    row: Callable[[], Row]
    shown: tuple[int, int | None]
    first: int
    last: int | None

    def by(self, source: Source) -> Callable[[Attempts], Step]:
        def step(attempts: Attempts) -> Step:
            row = self.row()
            assert days_of(row.period) == self.shown
            return lambda world: attempts.try_it(
                source, lambda: move(world, row, self.first, self.last, source=source)
            )

        return step

    def in_model(self, thing: tuple[str, ...]) -> Step:
        """The same in the model, where the row is still as it was shown."""

        def step(model: Registry) -> None:
            assert isinstance(model, TimeModel)
            row, wanted = covered(*self.shown), covered(self.first, self.last)
            if len(thing) == 2 and thing[1].startswith("point"):
                if any(run[:2] == self.shown for run in model.view().terms[thing[0], thing[1]]):
                    model.adjust_terms(thing[0], thing[1], row, wanted)
                return
            view = model.view()
            if len(thing) == 3:
                runs, place = view.memberships.get((thing[0], thing[1], thing[2]), ()), thing[1]
            else:
                runs, place = view.representations.get((thing[0], thing[1]), ()), None
            if any(run[:2] == self.shown for run in runs):
                model.adjust(thing[0], place, thing[-1], row, wanted)

        return step


OF_AGR_1 = ("agr-1", "home-1")
SHORTEN = Adjustment(lambda: representation("agr-1"), (0, None), 0, 9)
LENGTHEN = Adjustment(lambda: representation("agr-1"), (0, 9), 0, None)
MOVE_MEMBERSHIP = Adjustment(lambda: membership("dso-1", "point-1"), (0, None), 4, None)
CLOSE_POINT = Adjustment(lambda: terms("dso-1", "point-1"), (0, None), 0, 9)
POINT = dso("dso-1", point("point-1", 0, None, ("home-1", 0, None), ("home-2", 0, None)))

RACES: dict[str, tuple[list[Step], Adjustment, tuple[str, ...], Step]] = {
    "the party itself says other days": (
        [agr("agr-1", ("home-1", 0, None))],
        SHORTEN,
        OF_AGR_1,
        agr("agr-1", ("home-1", 0, 20)),
    ),
    "the party itself lets go": (
        [agr("agr-1", ("home-1", 0, None))],
        SHORTEN,
        OF_AGR_1,
        agr("agr-1", ("home-1", 9, -1)),
    ),
    "another claims the days that staff set free": (
        [agr("agr-1", ("home-1", 0, None))],
        SHORTEN,
        OF_AGR_1,
        agr("agr-2", ("home-1", 5, None)),
    ),
    "another claims the days that staff add": (
        [agr("agr-1", ("home-1", 0, 9))],
        LENGTHEN,
        OF_AGR_1,
        agr("agr-2", ("home-1", 5, None)),
    ),
    "another takes some of the days": (
        [agr("agr-1", ("home-1", 0, None)), policy("representation conflicts", "newest wins")],
        SHORTEN,
        OF_AGR_1,
        agr("agr-2", ("home-1", 5, 12)),
    ),
    "the holder lets go of days that staff add to a claimant's": (
        [agr("agr-1", ("home-1", 0, 9)), agr("agr-2", ("home-1", 10, None))],
        LENGTHEN,
        OF_AGR_1,
        agr("agr-2", ("home-1", 10, 14)),
    ),
    "the DSO ends the congestion point of a membership": (
        [POINT],
        MOVE_MEMBERSHIP,
        ("dso-1", "point-1", "home-1"),
        dso("dso-1", point("point-1", 0, 2)),
    ),
    "another DSO claims a membership's days": (
        [POINT],
        MOVE_MEMBERSHIP,
        ("dso-1", "point-1", "home-1"),
        dso("dso-2", point("point-2", 0, None, ("home-1", 0, None))),
    ),
    "the DSO says other days of the congestion point": (
        [POINT],
        CLOSE_POINT,
        ("dso-1", "point-1"),
        dso("dso-1", point("point-1", 0, 20, ("home-1", 0, 20))),
    ),
    "the DSO adds a connection to the congestion point": (
        [POINT],
        CLOSE_POINT,
        ("dso-1", "point-1"),
        dso("dso-1", point("point-1", 0, None, ("home-3", 0, None))),
    ),
    "another DSO claims connections of the congestion point": (
        [POINT],
        CLOSE_POINT,
        ("dso-1", "point-1"),
        dso("dso-2", point("point-2", 0, None, ("home-1", 0, None), ("home-3", 0, None))),
    ),
}


@pytest.mark.parametrize("turned", [False, True], ids=["", "turned"])
@pytest.mark.parametrize("race", RACES)
def test_C13_an_adjustment_while_a_message_is_processed(world: World, race: str, turned: bool) -> None:
    before, adjustment, thing, message = RACES[race]
    staff = adjustment.in_model(thing)
    outcomes = [outcome(before, staff, message), outcome(before, message, staff)]
    steps = [adjustment.by(KIM), says(message)]
    for attempts in each_way(world, before, *(reversed(steps) if turned else steps)):
        assert world.view() in outcomes
        if attempts.errors["kim"] is not None:
            assert "was superseded by change" in attempts.errors["kim"]
            assert "PortfolioUpdate of " in attempts.errors["kim"]


def test_C13_two_who_adjust_one_row(world: World) -> None:
    longer = Adjustment(SHORTEN.row, SHORTEN.shown, 0, 20)
    for attempts in each_way(world, [agr("agr-1", ("home-1", 0, None))], SHORTEN.by(KIM), longer.by(LEE)):
        done = attempts.one_is_done_and_the_other_fails("was superseded by change")
        assert days(world, "agr-1", "home-1") == f"effective 0..{9 if done == 'kim' else 20}"
