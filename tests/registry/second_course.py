"""One history as it goes, in the registry and in the second model, which are compared after each step."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from registry.decisions.adjust import Row
from registry.decisions.settle import DecisionError
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    CongestionPointEnding,
    CongestionPointTerms,
    Representation,
)
from registry.previews.effects import preview
from tests.registry.decisions.decisions import decide, move
from tests.registry.model_days import ModelConflict, Run
from tests.registry.second_claims import HORIZON, MEMBERSHIP, REPRESENTATION, Claim, OpenConflict, all_days
from tests.registry.second_histories import SettleAnew, Step
from tests.registry.second_model import CONFLICT, SecondModel, Verdict
from tests.registry.steps import Adjust, AgrUpdate, DaysGoBy, DsoUpdate, SendAgain, SetPolicy, Settle
from tests.registry.world import (
    AGRS,
    DSOS,
    NAMES,
    Reply,
    World,
    as_day,
    days_of,
    name_of,
)

Item = TypeVar("Item")
What = TypeVar("What")

WORDS = {
    "P1": "ends before it starts",
    "P2": "days in the past",
    "P3": "ends after its congestion point",
    "P4": "starts before its congestion point",
    "P5": "lies outside the period of its congestion point",
    "P6": "is named twice",
    "P7": "has a separate, later period",
    "D6": "clipped",
    CONFLICT: "Connection conflict",
}
"""What an answer says for each rule."""


class Course:
    """A history as it goes, in the registry and in the model."""

    def __init__(self, world: World) -> None:
        world.clear()
        world.today = 0
        self.world = world
        self.model = SecondModel((*AGRS, *DSOS))
        self.sent: list[tuple[int, AgrUpdate | DsoUpdate]] = []
        self.made: dict[int, int] = {}
        """The model's number of each of the registry's changes."""
        self.met: Counter[str] = Counter()

    def take(self, step: Step) -> None:
        """Take the step in both, and compare what the sender is told and what is registered."""
        if isinstance(step, DaysGoBy):
            self.model.today = self.world.today = self.model.today + step.days
        elif isinstance(step, SetPolicy):
            self.model.policies[step.name] = step.value
            self.world.set_policy(step.name, step.value)
        elif isinstance(step, AgrUpdate | DsoUpdate):
            self.sent.append((self.model.today, step))
            self.publish(step)
        elif isinstance(step, SendAgain) and self.sent:
            day, update = self.sent[-1 - step.which % len(self.sent)]
            self.met["sent again on " + ("the same day" if day == self.model.today else "a later day")] += 1
            self.publish(update)
        elif isinstance(step, Settle) and (conflicts := sorted(self.model.conflicts())):
            self.settle(conflicts[step.which % len(conflicts)], step)
        elif isinstance(step, SettleAnew) and (decided := decided_conflicts()):
            self.settle_anew(decided[-1 - step.which % len(decided)], step.decision)
        elif isinstance(step, Adjust) and (rows := current_rows()):
            self.adjust(rows[step.which % len(rows)], step)
        latest = Change.objects.order_by("-pk").values_list("pk", flat=True).first()
        if latest is not None:
            self.made.setdefault(latest, self.model.change)
        self.compare()

    def publish(self, update: AgrUpdate | DsoUpdate) -> None:
        if isinstance(update, AgrUpdate):
            expected = self.model.publish_representations(update.agr, update.lines)
            reply = self.world.publish_representations(update.agr, update.lines)
        else:
            expected = self.model.publish_congestion_points(update.dso, update.points)
            reply = self.world.publish_congestion_points(update.dso, update.points)
        self.met["rejected for a conflict"] += CONFLICT in expected.rejected_for
        self.met["warned of a conflict"] += expected.accepted and CONFLICT in expected.warned_of
        self.met["clipped"] += expected.accepted and bool(expected.losing)
        self.met["not brought back"] += expected.accepted and bool(expected.not_brought_back)
        assert_told(reply, expected)

    def settle(self, conflict: OpenConflict, step: Settle) -> None:
        decision, at = step.decision, None
        if decision == "split":
            at = min(conflict.first + step.at, conflict.last)
            if at == conflict.first:
                decision, at = "give", None
        (shown,) = [found for found in self.world.view().conflicts if as_open_conflict(found) == conflict]
        self.model.settle(conflict, decision, at)
        self.world.settle(shown, decision, at)

    def settle_anew(self, row: Conflict, decision: str) -> None:
        first, last = days_of(row.period)
        conflict = OpenConflict(
            row.kind,
            NAMES[row.connection.address],
            name_of(row.holder),
            name_of(row.claimant),
            first,
            HORIZON if last is None else last,
        )
        assert row.closed_by_id is not None
        taken = self.model.settle_anew(conflict, self.made[row.closed_by_id], decision, None)
        assert taken == is_done(
            lambda expected: decide(self.world, row.pk, decision, anew=True, expected=expected)
        )

    def adjust(self, row: Row, step: Adjust) -> None:
        """Move the row, where that is about no days of another row of the item, nor outside its congestion point."""
        model = self.model
        first, last = days_of(row.period)
        moved = first + step.first
        moved_last = None if step.last is None else (first + 6 if last is None else last) + step.last
        if moved_last is not None and moved_last < moved:
            return
        old, new = all_days(first, last), all_days(moved, moved_last)
        if isinstance(row, Representation):
            party, home = name_of(row.agr), NAMES[row.connection.address]
            if old != new and not new & (model.represented[party, home] - old):
                model.adjust_representation(party, home, old, new)
                move(self.world, row, moved, moved_last)
            return
        party, point = name_of(row.congestion_point.dso), NAMES[row.congestion_point.address]
        terms = set(model.terms[party, point])
        if isinstance(row, CongestionPointTerms):
            if old != new and not new & (terms - old):
                model.adjust_point(party, point, old, new)
                move(self.world, row, moved, moved_last)
            return
        home = NAMES[row.connection.address]
        if old != new and new <= terms and not new & (model.members[party, point, home] - old):
            model.adjust_membership(party, point, home, old, new)
            move(self.world, row, moved, moved_last)

    def compare(self) -> None:
        """Compare days, terms, standings, refusals and who waits; then conflicts, and remembered endings."""
        view, model = self.world.view(), self.model
        assert in_days(view.terms) == filled(model.terms), "terms"
        claims: dict[tuple[str, str, str], dict[int, Claim]] = {}
        queues: dict[tuple[str, str], dict[int, object]] = {}
        for (kind, home), on_days in model.claims.items():
            for day, by_party in on_days.items():
                for party, claim in by_party.items():
                    claims.setdefault((kind, home, party), {})[day] = claim
                if waiting := model.waiting(kind, home, day):
                    queues.setdefault((kind, home), {})[day] = tuple(waiting)
        assert in_days(view.representations) == {
            (agr, home): {day: claims[REPRESENTATION, home, agr][day].standing for day in days}
            for (agr, home), days in model.represented.items()
            if days
        }, "representations"
        assert in_days(view.memberships) == {
            (dso, point, home): {day: claims[MEMBERSHIP, home, dso][day].standing for day in days}
            for (dso, point, home), days in model.members.items()
            if days
        }, "memberships"
        assert given_to() == filled(
            {
                item: {day: claim.given_to for day, claim in days.items() if claim.given_to}
                for item, days in claims.items()
            }
        ), "whom refused days were given to"
        assert in_days(view.waiting) == queues, "who waits, and in which order"
        assert {as_open_conflict(found) for found in view.conflicts} == model.conflicts(), "conflicts"
        assert endings_at_once() == model.ended_at_once, "endings that are remembered"


def in_days(found: dict[Item, tuple[Run, ...]]) -> dict[Item, dict[int, object]]:
    return {
        item: {
            day: run.what
            for run in runs
            for day in range(run.first, (HORIZON if run.last is None else run.last) + 1)
        }
        for item, runs in found.items()
    }


def filled(found: dict[Item, dict[int, What]]) -> dict[Item, dict[int, What]]:
    """Without the items that have no day."""
    return {item: days for item, days in found.items() if days}


def as_open_conflict(found: ModelConflict) -> OpenConflict:
    last = HORIZON if found.last is None else found.last
    return OpenConflict(found.kind, found.connection, found.holder, found.claimant, found.first, last)


def given_to() -> dict[tuple[str, str, str], dict[int, str]]:
    """Of what is refused now: by kind, connection and party, whom each day was given to."""
    found: dict[tuple[str, str, str], dict[int, str]] = {}
    memberships = CongestionPointConnection.objects.current().select_related("dso", "connection", "given_to")
    representations = Representation.objects.current().select_related("agr", "connection", "given_to")
    rows = [(MEMBERSHIP, row.dso, row) for row in memberships]
    for kind, party, row in [*rows, *((REPRESENTATION, row.agr, row) for row in representations)]:
        if row.given_to is not None:
            first, last = days_of(row.period)
            days = found.setdefault((kind, NAMES[row.connection.address], name_of(party)), {})
            days.update(
                dict.fromkeys(range(first, (HORIZON if last is None else last) + 1), name_of(row.given_to))
            )
    return found


def endings_at_once() -> set[tuple[str, str, int]]:
    return {
        (name_of(row.congestion_point.dso), NAMES[row.congestion_point.address], as_day(row.day))
        for row in CongestionPointEnding.objects.current().select_related("congestion_point__dso")
    }


def current_rows() -> list[Row]:
    """All current rows, in an order that their numbers have no part in."""
    terms = CongestionPointTerms.objects.current().select_related("congestion_point__dso")
    memberships = CongestionPointConnection.objects.current().select_related(
        "congestion_point__dso", "dso", "connection"
    )
    representations = Representation.objects.current().select_related("agr", "connection")
    return [
        *terms.order_by("congestion_point__dso__domain", "congestion_point__address", "period"),
        *memberships.order_by("dso__domain", "congestion_point__address", "connection__address", "period"),
        *representations.order_by("agr__domain", "connection__address", "period"),
    ]


def decided_conflicts() -> list[Conflict]:
    """What staff decided, in order."""
    rows = Conflict.objects.exclude(decision="").select_related("connection", "holder", "claimant")
    return list(rows.order_by("closed_by_id", "connection__address", "period"))


def is_done(verb: Callable[[str | None], int]) -> bool:
    """Whether staff can do it, as they were shown it."""
    try:
        shown = preview(lambda: verb(None))
    except DecisionError:
        return False
    verb(shown.fingerprint)
    return True


def assert_told(reply: Reply, expected: Verdict) -> None:
    """Compare the answer, every rule that it is about, and the numbers of connections."""
    assert reply.accepted == expected.accepted, (reply, expected)
    told = {rule for rule, words in WORDS.items() if words in reply.text}
    if expected.rejected_for:
        # A conflict need not be looked for in what is rejected for its days.
        assert expected.rejected_for - {CONFLICT} <= told <= expected.rejected_for, (reply, expected)
        assert told, (reply, expected)
        return
    assert told == expected.warned_of, (reply, expected)
    for words, counts in (
        ("clipped with the congestion point", expected.losing),
        ("clipped earlier", expected.not_brought_back),
    ):
        found = {
            NAMES[address]: int(number)
            for warning in reply.warnings
            if words in warning
            for address, number in re.findall(r"(ean\.\d+) \((\d+) connections?\)", warning)
        }
        assert found == counts, (reply, expected)
