"""Random histories of updates, settlements and policies, the registry beside the time model after each step.

`TIME_MODEL_EXAMPLES` sets how many histories are drawn; unset, they are few and always the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

from registry.decisions.adjust import AdjustmentError, Row
from registry.decisions.settle import DecisionError
from registry.models import Conflict, CongestionPointConnection, CongestionPointTerms, Representation
from registry.previews.effects import preview
from registry.updates import statements
from tests.registry.decisions.decisions import decide, move
from tests.registry.model_days import (
    CONFLICT,
    PERIOD,
    Answer,
    Line,
    ModelConflict,
    Point,
    Terms,
    View,
    covered,
)
from tests.registry.steps import Adjust, AgrUpdate, DaysGoBy, DsoUpdate, SendAgain, SetPolicy, Settle
from tests.registry.time_model import TimeModel
from tests.registry.world import (
    ADDRESSES,
    AGRS,
    CONNECTIONS,
    DSOS,
    NAMES,
    POINTS,
    Reply,
    World,
    assert_sound,
    days_of,
    known_at,
    latest_moment,
    name_of,
)

EXAMPLES = int(os.environ.get("TIME_MODEL_EXAMPLES", "0"))
STEPS = int(os.environ.get("TIME_MODEL_STEPS", "12"))
LONG_PAST = "4"
OFTEN_THE_FIRST = 4 * CONNECTIONS[:1] + CONNECTIONS


@dataclass(frozen=True)
class Pause:
    """Nothing happens: what other steps shrink to."""


@dataclass(frozen=True)
class SettleAnew:
    """A decision in place of an earlier one; `at` picks the day of a split."""

    which: int
    decision: str
    at: int


Step = Pause | DaysGoBy | AgrUpdate | DsoUpdate | SendAgain | Settle | SettleAnew | Adjust | SetPolicy


def periods() -> st.SearchStrategy[tuple[int, int | None]]:
    """First and last day, counted from today: around it, open-ended, or ending before they start."""
    firsts = st.sampled_from((0, 1, -1, 2, -3, 4, -6, 7))
    lengths = st.sampled_from((None, 3, None, 0, None, 6, 9, -1, -3, 2))
    return st.builds(
        lambda first, length: (first, None if length is None else first + length), firsts, lengths
    )


def lines(most: int, least: int = 0) -> st.SearchStrategy[tuple[Line, ...]]:
    line = st.builds(lambda name, days: Line(name, *days), st.sampled_from(OFTEN_THE_FIRST), periods())
    return st.lists(line, min_size=least, max_size=most).map(tuple)


def points() -> st.SearchStrategy[tuple[Point, ...]]:
    """One or two congestion points; most connections have their point's days or days near them."""
    ends_at_once = st.sampled_from([(0, 0), (-6, 0), (-6, -1), (-1, -1), (0, -1)])
    usual = st.sampled_from([(-6, None), (-6, None), (-6, 9), (-1, None), (0, 6), (-3, 2)])
    terms = st.sampled_from((*4 * [Terms()], Terms(True, "DSO", "AGR")))
    own = st.lists(st.sampled_from(OFTEN_THE_FIRST), max_size=2, unique=True)
    point = st.builds(
        lambda name, days, own, others, terms: Point(
            name, *days, tuple(Line(home, *days) for home in own) + others, terms
        ),
        st.sampled_from(POINTS),
        st.one_of(periods(), usual, st.just((-6, None)), ends_at_once),
        own,
        lines(2),
        terms,
    )
    return st.lists(point, min_size=1, max_size=2).map(tuple)


POLICIES = {
    "representation conflicts": ("hold", "reject", "newest wins"),
    "membership conflicts": ("allow", "hold", "reject"),
    "omitted connections": ("keep", "end"),
    **{f"P{number}": ("reject", "adjust", "accept") for number in range(1, 8)},
}

POLICY_STEPS = [SetPolicy(name, value) for name, values in POLICIES.items() for value in values]
POLICY_STEPS += 3 * [SetPolicy("representation conflicts", value) for value in ("reject", "newest wins")]
POLICY_STEPS += 3 * [SetPolicy("membership conflicts", value) for value in ("allow", "reject")]


def agr_steps() -> st.SearchStrategy[Step]:
    return st.builds(AgrUpdate, st.sampled_from(AGRS), lines(4, 1))


def dso_steps() -> st.SearchStrategy[Step]:
    return st.builds(DsoUpdate, st.sampled_from(DSOS), points())


def quarrel_steps() -> st.SearchStrategy[Step]:
    """One connection that AGRs claim and let go, from days that meet each other's."""
    home = CONNECTIONS[0]
    said = st.sampled_from([Line(home, 0, None), Line(home, 2, None), Line(home, 9, -1), Line(home, 9, 2)])
    return st.builds(lambda agr, line: AgrUpdate(agr, (line,)), st.sampled_from(AGRS), said)


def quarrel_steps_of_dsos() -> st.SearchStrategy[Step]:
    """One connection that DSOs claim and let go, at either of their points, also while both may count."""
    home = CONNECTIONS[0]
    said = st.sampled_from([Line(home, 0, None), Line(home, 2, None), Line(home, 9, -1), Line(home, 0, 4)])
    updates = st.builds(
        lambda dso, point, line: DsoUpdate(dso, (Point(point, -6, None, (line,)),)),
        st.sampled_from(DSOS),
        st.sampled_from(POINTS),
        said,
    )
    policies = [SetPolicy("membership conflicts", value) for value in ("allow", "hold")]
    return st.one_of(updates, updates, updates, settlements(), st.sampled_from(policies))


def endings() -> st.SearchStrategy[Step]:
    """One point that ends, begins again and is sent again, as the days go by."""
    name, (home, other) = POINTS[0], CONNECTIONS[:2]
    days = st.sampled_from(
        [
            (-6, 0),
            (0, 0),
            (-6, -1),
            (-1, -1),
            (-6, None),
            (0, None),
            (4, 9),
            (-6, 3),
            (-9, -4),
            (1, None),
            (3, 0),
        ]
    )
    listed = st.sampled_from([(), (home,), (other,), (home, other)])
    point = st.builds(
        lambda days, homes: Point(name, *days, tuple(Line(each, *days) for each in homes)), days, listed
    )
    updates = st.lists(point, min_size=1, max_size=2).map(lambda points: DsoUpdate(DSOS[0], tuple(points)))
    return st.one_of(
        updates,
        updates,
        updates,
        st.builds(SendAgain, st.integers(0, 3)),
        st.builds(DaysGoBy, st.integers(1, 3)),
        st.sampled_from([SetPolicy("omitted connections", value) for value in ("keep", "end")]),
        adjustments(),
    )


def settlements() -> st.SearchStrategy[Step]:
    decisions = st.sampled_from(("keep", "give", "split"))
    return st.builds(Settle, st.integers(0, 5), decisions, st.integers(1, 6))


def second_thoughts() -> st.SearchStrategy[Step]:
    """Earlier decisions reversed, the latest most often."""
    decisions = st.sampled_from(("give", "keep", "split"))
    return st.builds(SettleAnew, st.sampled_from((-1, -1, -2, 0, -3)), decisions, st.integers(1, 6))


def adjustments() -> st.SearchStrategy[Step]:
    moves = st.sampled_from((0, 2, -2, 4, -5))
    return st.builds(Adjust, st.integers(0, 12), moves, st.one_of(moves, st.none()))


def second_thoughts_of_staff() -> st.SearchStrategy[list[Step]]:
    """Two or three claim one connection; staff decide, and then the parties and staff go on about it."""
    home = CONNECTIONS[0]
    claims_of_dsos = [DsoUpdate(dso, (Point(POINTS[0], -6, None, (Line(home, 0, None),)),)) for dso in DSOS]
    openings = st.sampled_from(
        [
            [AgrUpdate(agr, (Line(home, 0, None),)) for agr in AGRS[:2]],
            [AgrUpdate(agr, (Line(home, first, 9),)) for agr, first in zip(AGRS[:2], (-3, 0), strict=True)],
            claims_of_dsos,
            [
                claims_of_dsos[0],
                SetPolicy("membership conflicts", "allow"),
                claims_of_dsos[1],
                SetPolicy("membership conflicts", "hold"),
                claims_of_dsos[2],
            ],
        ]
    )
    goes_on = st.one_of(
        quarrel_steps(),
        quarrel_steps_of_dsos(),
        second_thoughts(),
        second_thoughts(),
        second_thoughts(),
        settlements(),
        adjustments(),
    )
    return st.builds(
        lambda opening, decision, rest: [*opening, decision, *rest],
        openings,
        settlements(),
        st.lists(goes_on, min_size=STEPS - 3, max_size=STEPS - 3),
    )


def histories() -> st.SearchStrategy[list[Step]]:
    """Steps of AGRs and DSOs, in most histories more of the one; in some, AGRs quarrel about one connection."""
    agrs = [agr_steps() for _ in range(6)]
    dsos = [dso_steps() for _ in range(6)]
    quarrels = [quarrel_steps() for _ in range(6)]
    quarrels_of_dsos = [quarrel_steps_of_dsos() for _ in range(6)]
    others = [
        settlements(),
        settlements(),
        second_thoughts(),
        adjustments(),
        adjustments(),
        st.sampled_from(POLICY_STEPS),
        st.builds(DaysGoBy, st.integers(1, 2)),
        st.builds(SendAgain, st.integers(0, 3)),
    ]
    return st.one_of(
        *(
            st.lists(st.one_of(st.just(Pause()), *senders, *others), min_size=STEPS, max_size=STEPS)
            for senders in (agrs[:3] + dsos[:3], agrs + dsos[:1], dsos + agrs[:1], quarrels, quarrels_of_dsos)
        ),
        st.lists(endings(), min_size=STEPS, max_size=STEPS),
        second_thoughts_of_staff(),
    )


@pytest.fixture(params=["looked up", "joined"])
def claims_are(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the claims on what is stated are found: as in small updates, and as in large ones."""
    if request.param == "joined":
        monkeypatch.setattr(statements, "FEW", 0)
        monkeypatch.setattr(statements, "ROWS_PER_LOOKUP", sys.maxsize)
    return str(request.param)


@settings(
    max_examples=EXAMPLES or 50,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(start=st.lists(st.sampled_from(POLICY_STEPS), max_size=4), steps=histories())
def test_registry_agrees_with_the_time_model(
    world: World, claims_are: str, start: list[SetPolicy], steps: list[Step]
) -> None:
    world.clear()
    world.today = 0
    model = TimeModel()
    remembered, sent = [], list[DsoUpdate]()
    for step in [
        SetPolicy("P2 days", LONG_PAST),
        SetPolicy("P1", "adjust"),
        SetPolicy("P5", "adjust"),
        *start,
        *steps,
    ]:
        if isinstance(step, Pause):
            continue
        note(f"day {model.today}: {step}")
        take(step, model, world, sent)
        assert_same(world.view(), model.view())
        assert_sound()
        if moment := latest_moment():
            remembered.append((moment, known_at(moment)))
    for moment, facts in remembered:
        assert known_at(moment) == facts, f"what was known at {moment} is not what it was"


def take(step: Step, model: TimeModel, world: World, sent: list[DsoUpdate]) -> None:
    """Take the step in both, and compare what the sender is told; `sent` are the updates with their actual days."""
    if isinstance(step, DaysGoBy):
        model.today = world.today = model.today + step.days
    elif isinstance(step, SetPolicy):
        model.set_policy(step.name, step.value)
        world.set_policy(step.name, step.value)
    elif isinstance(step, AgrUpdate):
        lines = [moved(line, model.today) for line in step.lines]
        expected = model.publish_representations(step.agr, lines)
        assert_told(world.publish_representations(step.agr, lines), expected)
    elif isinstance(step, DsoUpdate):
        sent.append(DsoUpdate(step.dso, tuple(moved_point(point, model.today) for point in step.points)))
        publish_points(sent[-1], model, world)
    elif isinstance(step, SendAgain) and sent:
        publish_points(sent[-1 - step.which % len(sent)], model, world)
    elif isinstance(step, Settle) and (model_conflicts := sorted(model.conflicts(), key=str)):
        model_conflict = model_conflicts[step.which % len(model_conflicts)]
        decision, at = step.decision, None
        if decision == "split":
            at = within(model_conflict, step.at)
            decision = "give" if at is None else decision
        note(f"        {decision} {model_conflict} at {at}")
        event(f"{decision}, {model_conflict.kind}")
        model.settle(model_conflict, decision, at)
        conflict = world.conflict(model_conflict)
        assert is_done(world, lambda expected: decide(world, conflict, decision, at, expected=expected))
    elif isinstance(step, SettleAnew) and model.decided:
        which = step.which % len(model.decided)
        made = model.decided[which]
        day = min(made.days) + step.at if step.decision == "split" else None
        note(f"        {step.decision} {made[:5]} from {min(made.days)} at {day}")
        taken = model.settle_anew(made, step.decision, day)
        event(f"{step.decision} anew, {made.kind}: {taken}")
        number = decided_conflicts()[which]
        assert taken == is_done(
            world,
            lambda expected: decide(world, number, step.decision, day, anew=True, expected=expected),
        )
    elif isinstance(step, Adjust) and (rows := current_rows()):
        row = rows[step.which % len(rows)]
        first, last = moved_ends(row, step)
        taken = adjust_in(model, row, covered(first, last))
        note(f"        {row} {days_of(row.period)} to {first}..{last}: {taken}")
        event(f"adjust, {row._meta.verbose_name}: {taken}")
        assert taken == is_done(world, lambda expected: move(world, row, first, last, expected=expected))


def publish_points(update: DsoUpdate, model: TimeModel, world: World) -> None:
    note(f"        of {update.dso}: {update.points}")
    expected = model.publish_congestion_points(update.dso, update.points)
    assert_told(world.publish_congestion_points(update.dso, update.points), expected)


def is_done(world: World, verb: Callable[[str | None], int]) -> bool:
    """Whether staff can do it: as they were shown it, and nothing while they looked."""
    before = world.view()
    try:
        shown = preview(lambda: verb(None))
    except (DecisionError, AdjustmentError) as refused:
        note(f"        refused: {refused}")
        return False
    assert world.view() == before, "the preview left something behind"
    verb(shown.fingerprint)
    return True


def decided_conflicts() -> list[int]:
    """The numbers of what staff decided, in order."""
    decided = Conflict.objects.exclude(decision="").order_by("closed_by_id", "period")
    return list(decided.values_list("pk", flat=True))


def current_rows() -> list[Row]:
    """All current rows, in an order that their numbers have no part in."""
    representations = (
        Representation.objects.current()
        .select_related("agr", "connection")
        .order_by("agr__domain", "connection__address", "period")
    )
    memberships = (
        CongestionPointConnection.objects.current()
        .select_related("dso", "congestion_point", "connection")
        .order_by("dso__domain", "congestion_point__address", "connection__address", "period")
    )
    terms = (
        CongestionPointTerms.objects.current()
        .select_related("congestion_point__dso")
        .order_by("congestion_point__dso__domain", "congestion_point__address", "period")
    )
    return [*terms, *memberships, *representations]


def moved_ends(row: Row, step: Adjust) -> tuple[int, int | None]:
    first, last = days_of(row.period)
    if last is None:
        return first + step.first, None if step.last is None else first + 6 + step.last
    return first + step.first, None if step.last is None else last + step.last


def adjust_in(model: TimeModel, row: Row, days: frozenset[int]) -> bool:
    old = covered(*days_of(row.period))
    if isinstance(row, Representation):
        return model.adjust(name_of(row.agr), None, NAMES[row.connection.address], old, days)
    point = NAMES[row.congestion_point.address]
    if isinstance(row, CongestionPointTerms):
        return model.adjust_terms(name_of(row.congestion_point.dso), point, old, days)
    return model.adjust(name_of(row.dso), point, NAMES[row.connection.address], old, days)


def within(model_conflict: ModelConflict, days: int) -> int | None:
    """A day that splits the conflict, `days` after its first or its last; None where none does."""
    if model_conflict.last is None:
        return model_conflict.first + days
    return (
        min(model_conflict.first + days, model_conflict.last)
        if model_conflict.last > model_conflict.first
        else None
    )


def moved(line: Line, today: int) -> Line:
    return line._replace(first=line.first + today, last=None if line.last is None else line.last + today)


def moved_point(point: Point, today: int) -> Point:
    return point._replace(
        first=point.first + today,
        last=None if point.last is None else point.last + today,
        connections=tuple(moved(line, today) for line in point.connections),
    )


def assert_told(reply: Reply, expected: Answer) -> None:
    result = "accepted" if reply.accepted else "rejected"
    note(f"        {result}: {reply.text}")
    for rule in expected.rejected_for | expected.warned_of:
        event(f"{result}, {rule}")
    assert reply.accepted == expected.accepted, (reply, expected)
    if expected.rejected_for - {CONFLICT}:
        assert any(reason.startswith(PERIOD) for reason in reply.reasons), (reply, expected)
    elif expected.rejected_for:
        assert all(reason.startswith(CONFLICT) for reason in reply.reasons), (reply, expected)
    if expected.warned_of:
        assert reply.warnings, (reply, expected)
    else:
        assert not reply.warnings, (reply, expected)
    for point, count, words in expected.counted:
        told = f"{ADDRESSES[point]} ({count} connection"
        assert any(told in warning and words in warning for warning in reply.warnings), (reply, expected)
    if expected.accepted and not expected.counted:
        assert "clipped" not in reply.text, (reply, expected)
    assert not any(name in reply.text for name in ("agr-", "dso-")), "another party is named"


def assert_same(seen: View, expected: View) -> None:
    for part in ("terms", "memberships", "representations", "waiting", "conflicts"):
        assert getattr(seen, part) == getattr(expected, part), part
