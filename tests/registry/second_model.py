"""A second model of the registry, written from docs/rules.md alone: sets of days, and one claim for each day.

It is slow and plain on purpose. Each function names the rules that it follows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.registry.model_days import Line, Point, Terms
from tests.registry.second_claims import (
    HORIZON,
    MEMBERSHIP,
    REPRESENTATION,
    Claims,
    Day,
    Days,
    all_days,
    blocks,
    touches,
)

CONFLICT = "C4"


@dataclass
class Reading:
    """What one line states, by D2, D3 and D5."""

    start: Day
    """The day of D2: from it on the line replaces."""
    days: Days
    withdraws: bool = False
    """Its EndPeriod is before its StartPeriod."""
    ended_at_once: Day | None = None
    """A block that contains this day is replaced, too (D5)."""


@dataclass
class Verdict:
    """What the sender is answered: the rules it is rejected for, or warned of, and the counts of connections."""

    rejected_for: set[str] = field(default_factory=set)
    warned_of: set[str] = field(default_factory=set)
    losing: dict[str, int] = field(default_factory=dict)
    """By congestion point, how many connections lose days with it."""
    not_brought_back: dict[str, int] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return not self.rejected_for


class SecondModel(Claims):
    """The registry by docs/rules.md."""

    def __init__(self, parties: Sequence[str]) -> None:
        super().__init__(parties)
        self.terms = defaultdict[tuple[str, str], dict[Day, Terms]](dict)
        self.members = defaultdict[tuple[str, str, str], Days](set)
        self.represented = defaultdict[tuple[str, str], Days](set)
        self.ended_at_once = set[tuple[str, str, Day]]()

    # Updates

    def publish_representations(self, agr: str, lines: Sequence[Line]) -> Verdict:
        verdict = Verdict()
        after: dict[str, Days] = {}
        for connection in dict.fromkeys(line.connection for line in lines):
            own = [line for line in lines if line.connection == connection]
            old = self.represented[agr, connection]
            self.judge_ends(own, [self.read(line) for line in own], old, verdict)
            self.judge_repetition([all_days(line.first, line.last) for line in own], verdict)
            after[connection] = self.replaced(old, [self.read(line) for line in own], verdict)
        if lines and self.policies["omitted connections"] == "end":
            for holder, connection in list(self.represented):
                if holder == agr and connection not in after:
                    after[connection] = self.until_today(self.represented[agr, connection])
        before = {connection: self.represented[agr, connection] for connection in after}
        self.judge_conflicts(REPRESENTATION, agr, before, after, verdict)
        if verdict.accepted:
            self.change += 1
            for connection, days in after.items():
                self.represented[agr, connection] = days
                self.claim(REPRESENTATION, connection, agr, before[connection], days)
        return verdict

    def publish_congestion_points(self, dso: str, points: Sequence[Point]) -> Verdict:
        verdict = Verdict()
        terms: dict[str, dict[Day, Terms]] = {}
        members: dict[tuple[str, str], Days] = {}
        for name in dict.fromkeys(point.point for point in points):
            lines = [point for point in points if point.point == name]
            terms[name] = self.terms_after(dso, name, lines, verdict)
            for connection, days in self.members_after(dso, name, lines, terms[name], verdict).items():
                members[name, connection] = days
        before = self.claimed_by(dso, {connection for _, connection in members}, {})
        after = self.claimed_by(dso, {connection for _, connection in members}, members)
        self.judge_conflicts(MEMBERSHIP, dso, before, after, verdict)
        if verdict.accepted:
            self.change += 1
            for name, days_and_terms in terms.items():
                self.remember_endings(dso, name, [p for p in points if p.point == name], set(days_and_terms))
                self.terms[dso, name] = days_and_terms
            for (name, connection), days in members.items():
                self.members[dso, name, connection] = days
            for connection in after:
                self.claim(MEMBERSHIP, connection, dso, before[connection], after[connection])
        return verdict

    def claimed_by(
        self, dso: str, connections: Iterable[str], changed: dict[tuple[str, str], Days]
    ) -> dict[str, Days]:
        """C7: the days that a DSO claims of each connection, at all its congestion points together."""
        found: dict[str, Days] = {connection: set() for connection in connections}
        for other, name, connection in list(self.members):
            if other == dso and connection in found and (name, connection) not in changed:
                found[connection] |= self.members[dso, name, connection]
        for (_, connection), days in changed.items():
            found[connection] |= days
        return found

    # What lines state

    def read(self, line: Line | Point) -> Reading:
        """D2, D3: a line as it stands."""
        if line.last is None:
            return Reading(line.first, all_days(line.first, None))
        return Reading(
            min(line.first, line.last + 1), all_days(line.first, line.last), line.last < line.first
        )

    def ends_point(self, line: Point) -> bool:
        """D5."""
        return line.last is not None and line.last <= self.today

    def ends_at_once(self, dso: str, line: Point) -> bool:
        """D5: with an EndPeriod of today, or one of an earlier day that is remembered."""
        return line.last is not None and (
            line.last == self.today
            or (line.last < self.today and (dso, line.point, line.last) in self.ended_at_once)
        )

    def read_point(self, dso: str, line: Point) -> Reading:
        """D5: a line that ends the congestion point at once states the days before its EndPeriod."""
        if line.last is None or not self.ends_at_once(dso, line):
            return self.read(line)
        return Reading(
            min(line.first, line.last),
            all_days(line.first, line.last - 1),
            line.last < line.first,
            line.last,
        )

    def replaced(self, old: Days, readings: list[Reading], verdict: Verdict, warns: bool = False) -> Days:
        """D2, D3, P7: the days of the item after a statement. `warns` of a later block that stays."""
        start = min(reading.start for reading in readings)
        stated = set[Day]().union(*(reading.days for reading in readings))
        withdrawn_from = min((reading.start for reading in readings if reading.withdraws), default=None)
        at_once = {reading.ended_at_once for reading in readings}
        new = {day for day in old if day < start} | stated
        for block in blocks(day for day in old if day >= start):
            if touches(block, stated) or block & at_once:
                continue
            left = {day for day in block if withdrawn_from is None or day < withdrawn_from}
            if left and self.judge("P7", verdict, silent=not warns) == "adjust":
                new |= left
        return new

    def until_today(self, days: Days) -> Days:
        self.met["omitted"] += any(day > self.today for day in days)
        return {day for day in days if day <= self.today}

    # Period rules

    def judge(self, rule: str, verdict: Verdict, *, silent: bool = False) -> str:
        """Note that the rule is broken; returns what the operator chose for it."""
        choice = self.policies[rule]
        self.met[f"{rule} {choice}"] += 1
        if choice == "reject":
            verdict.rejected_for.add(rule)
        elif not (silent and choice == "adjust"):
            verdict.warned_of.add(rule)
        return choice

    def judge_ends(
        self, lines: Sequence[Line | Point], readings: list[Reading], old: Days, verdict: Verdict
    ) -> None:
        """P1 and P2."""
        withdraw_from = [reading.start for reading in readings if reading.withdraws]
        if withdraw_from:
            self.met["withdrawn"] += 1
            if not any(day >= min(withdraw_from) for day in old):
                self.judge("P1", verdict)
        for line in lines:
            if line.last is not None and line.last < self.today - int(self.policies["P2 days"]):
                self.judge("P2", verdict)

    def judge_repetition(self, stated: list[Days], verdict: Verdict) -> None:
        """P6."""
        if any(one & other for at, one in enumerate(stated) for other in stated[:at]):
            self.judge("P6", verdict)

    # Congestion points

    def terms_after(self, dso: str, name: str, lines: list[Point], verdict: Verdict) -> dict[Day, Terms]:
        """D2 to D5: the days of a congestion point after a message, with the terms of each."""
        old = self.terms[dso, name]
        readings = [self.read_point(dso, line) for line in lines]
        self.note_endings(dso, lines, set(old))
        self.judge_ends(lines, readings, set(old), verdict)
        self.judge_repetition([reading.days for reading in readings], verdict)
        stated: dict[Day, Terms] = {}
        for line, reading in zip(lines, readings, strict=True):
            for day in reading.days:
                if stated.setdefault(day, line.terms) != line.terms:
                    verdict.rejected_for.add("P6")
        ends = any(self.ends_point(line) for line in lines)
        days = self.replaced(set(old), readings, verdict, warns=ends)
        if ends and any(day > self.today for day in days - stated.keys()):
            self.met["a later block stays"] += 1
        return {day: stated[day] if day in stated else old[day] for day in days}

    def note_endings(self, dso: str, lines: list[Point], old: Days) -> None:
        for line in lines:
            if self.ends_point(line):
                self.met["EndPeriod today" if line.last == self.today else "EndPeriod earlier"] += 1
            if line.last != self.today and self.ends_at_once(dso, line):
                self.met["ended at once, again on a later day"] += 1
            if line.last == self.today and not old:
                self.met["ended at once where nothing was"] += 1
        if len(blocks(old)) > 1:
            self.met["several blocks of a point"] += 1

    def remember_endings(self, dso: str, name: str, lines: list[Point], new: Days) -> None:
        """D5: what is remembered of endings at once, and what is forgotten."""
        for owner, point, day in list(self.ended_at_once):
            if (owner, point) == (dso, name) and day in new - self.terms[dso, name].keys():
                if any(line.last == day for line in lines):
                    self.met["an ending is stated again"] += 1
                else:
                    self.met["an ending is forgotten"] += 1
                    self.ended_at_once.remove((owner, point, day))
        self.ended_at_once |= {(dso, name, self.today) for line in lines if line.last == self.today}

    def members_after(
        self, dso: str, name: str, lines: list[Point], terms: dict[Day, Terms], verdict: Verdict
    ) -> dict[str, Days]:
        """The days of the connections of a congestion point that a message changes."""
        covered = set(terms)
        had = set(self.terms[dso, name])
        old = {
            connection: days
            for (owner, point, connection), days in self.members.items()
            if (owner, point) == (dso, name)
        }
        named = {line.connection for point in lines for line in point.connections}
        listed = [line for point in lines if not self.ends_point(point) for line in point.connections]
        after = {connection: set(days) for connection, days in old.items()}
        states: dict[str, Days] = {}
        for connection in dict.fromkeys(line.connection for line in listed):
            own = [line for line in listed if line.connection == connection]
            readings = self.judged_members(own, old.get(connection, set()), covered, verdict)
            if readings:
                after[connection] = self.replaced(old.get(connection, set()), readings, verdict)
                states[connection] = set[Day]().union(*(reading.days for reading in readings))
        losing = self.clip(after, states, had, covered)
        if losing:
            verdict.losing[name] = losing
            verdict.warned_of.add("D6")
        not_brought_back = [
            connection
            for connection, days in old.items()
            if days and had and connection not in states
            if max(days) == max(had) < HORIZON and covered and max(covered) > max(had)
        ]
        if not_brought_back:
            verdict.not_brought_back[name] = len(not_brought_back)
            verdict.warned_of.add("D6")
        if listed and self.policies["omitted connections"] == "end":
            for connection in after.keys() - named:
                after[connection] = self.until_today(after[connection])
        return after

    def judged_members(self, lines: list[Line], old: Days, covered: Days, verdict: Verdict) -> list[Reading]:
        """P1 to P6 for the lines about one connection of a congestion point; those that P5 leaves no days are out."""
        self.judge_ends(lines, [self.read(line) for line in lines], old, verdict)
        readings, stated = [], []
        for line in lines:
            reading = self.read(line)
            if not reading.days:
                readings.append(reading)
                continue
            if not reading.days & covered:
                self.judge("P5", verdict)
                continue
            stated.append(reading.days)
            days = set(reading.days)
            early = {day for day in days if day < min(covered)}
            other = days - covered - early
            if early and self.judge("P4", verdict) == "adjust":
                days -= early
            if other and self.judge("P3", verdict) == "adjust":
                days -= other
            readings.append(Reading(reading.start, days))
        self.judge_repetition(stated, verdict)
        return readings

    def clip(self, after: dict[str, Days], states: dict[str, Days], had: Days, covered: Days) -> int:
        """D6: clip where the congestion point loses days; returns how many connections not stated lose some."""
        lost = had - covered
        if not lost:
            return 0
        losing = 0
        for connection, days in after.items():
            gone = {day for day in days if day >= min(lost)} - covered - states.get(connection, set())
            after[connection] = days - gone
            losing += bool(gone) and connection not in states
        return losing

    def judge_conflicts(
        self, kind: str, party: str, before: dict[str, Days], after: dict[str, Days], verdict: Verdict
    ) -> None:
        """C4, C5: what the sender is told of days that another holds."""
        policy = self.policies[f"{kind} conflicts"]
        for connection in after:
            for day in after[connection] - before[connection]:
                if policy == "allow" or not self.holders(kind, connection, day):
                    continue
                if policy == "reject":
                    verdict.rejected_for.add(CONFLICT)
                elif policy == "hold" or day < self.today:
                    verdict.warned_of.add(CONFLICT)

    # Staff

    def adjust_point(self, dso: str, name: str, old: Days, new: Days) -> None:
        """C13: other days for a row of a congestion point, none of which another of its rows has."""
        self.change += 1
        had = self.terms[dso, name]
        terms = had[min(old)]
        covered = {day: had[day] for day in had.keys() - old} | dict.fromkeys(new, terms)
        members = {
            connection: set(days)
            for (owner, point, connection), days in self.members.items()
            if (owner, point) == (dso, name)
        }
        self.clip(members, {}, set(had), set(covered))
        changed = {(name, connection): days for connection, days in members.items()}
        before, after = self.claimed_by(dso, members, {}), self.claimed_by(dso, members, changed)
        self.remember_endings(dso, name, [], set(covered))
        self.terms[dso, name] = covered
        for connection, days in members.items():
            self.members[dso, name, connection] = days
            self.claim(MEMBERSHIP, connection, dso, before[connection], after[connection], "hold")
        self.met["congestion point adjusted"] += 1

    def adjust_membership(self, dso: str, name: str, connection: str, old: Days, new: Days) -> None:
        """C13: other days for a row of a membership, all of them days that its congestion point has."""
        self.change += 1
        days = (self.members[dso, name, connection] - old) | new
        before = self.claimed_by(dso, {connection}, {})[connection]
        after = self.claimed_by(dso, {connection}, {(name, connection): days})[connection]
        self.members[dso, name, connection] = days
        self.claim(MEMBERSHIP, connection, dso, before, after, "hold")
        self.met["membership adjusted"] += 1

    def adjust_representation(self, agr: str, connection: str, old: Days, new: Days) -> None:
        """C13."""
        self.change += 1
        before = self.represented[agr, connection]
        after = (before - old) | new
        self.represented[agr, connection] = after
        self.claim(REPRESENTATION, connection, agr, before, after, "hold")
        self.met["representation adjusted"] += 1
