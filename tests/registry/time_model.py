"""The registry as docs/rules.md tells it, day by day and without a database: what the tests compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from tests.registry.model_days import (
    CONFLICT,
    CONTESTED,
    DEFAULTS,
    EFFECTIVE,
    FOREVER,
    MEMBERSHIP,
    REFUSED,
    REPRESENTATION,
    Answer,
    Day,
    Line,
    ModelConflict,
    Place,
    Point,
    Run,
    Terms,
    View,
    blocks,
    covered,
    overlap,
    runs,
    touches,
)


@dataclass
class Claim:
    """One party's claim to one day.

    `since` is the change from which on it waits for the day, `given_to` the party that a refused day was given to.
    """

    standing: str
    since: int | None = None
    given_to: str | None = None


class Statement(NamedTuple):
    """A line as it counts: its claimed days, the day from which it replaces, the day from which it withdraws."""

    days: frozenset[Day]
    replaces_from: Day
    withdraws_from: Day | None = None


class Decision(NamedTuple):
    """What staff decided between two parties, by which change, and about which days."""

    change: int
    kind: str
    connection: str
    holder: str
    claimant: str
    days: frozenset[Day]


def in_order(claims: dict[str, Claim]) -> tuple[str, ...]:
    """Who waits for the day, longest first."""
    since = {party: claim.since for party, claim in claims.items() if claim.since is not None}
    return tuple(sorted(since, key=lambda party: (since[party], party)))


@dataclass
class TimeModel:
    """The registry's days. Parties and things are known by their names; `today` is moved by the test."""

    policies: dict[str, str] = field(default_factory=lambda: dict(DEFAULTS))
    today: Day = 0
    change: int = 0
    terms: dict[tuple[str, str], dict[Day, Terms]] = field(default_factory=dict)
    said: dict[tuple[str, Place, str], frozenset[Day]] = field(default_factory=dict)
    claims: dict[tuple[str, str, Day], dict[str, Claim]] = field(default_factory=dict)
    endings: dict[tuple[str, str], frozenset[Day]] = field(default_factory=dict)
    exclusive: dict[tuple[str, Place, str, Day], bool] = field(default_factory=dict)
    decided: list[Decision] = field(default_factory=list)

    # What is said

    def publish_representations(self, agr: str, lines: Iterable[Line]) -> Answer:
        message = Message(self, REPRESENTATION, agr)
        for (place, connection), said in together((None, line) for line in lines).items():
            message.state(place, connection, said)
        if self.policies["omitted connections"] == "end" and message.after:
            message.end_omitted(None)
        return message.answer()

    def publish_congestion_points(self, dso: str, points: Iterable[Point]) -> Answer:
        points = list(points)
        message = Message(self, MEMBERSHIP, dso)
        for name in dict.fromkeys(point.point for point in points):
            message.state_point(name, [point for point in points if point.point == name])
        alive = [point for point in points if not self.ends(point)]
        listed = together((point.point, line) for point in alive for line in point.connections)
        for (place, connection), said in listed.items():
            message.state(place, connection, said)
        message.mentioned |= {
            (point.point, line.connection) for point in points for line in point.connections
        }
        for name in dict.fromkeys(point.point for point in points):
            message.clip(name)
        if self.policies["omitted connections"] == "end":
            for name in dict.fromkeys(point.point for point in alive if point.connections):
                message.end_omitted(name)
        return message.answer()

    def ends(self, line: Point) -> bool:
        """Whether the line ends its congestion point: the connections listed under it state nothing."""
        return line.last is not None and line.last <= self.today

    def ends_at_once(self, dso: str, line: Point) -> bool:
        """Whether the line does not cover its last day: that is today, or was when it ended the point."""
        return line.last == self.today or (
            self.ends(line) and line.last in self.endings.get((dso, line.point), ())
        )

    # Who holds what

    def let_go(self, kind: str, party: str, connection: str, day: Day) -> None:
        """A day that becomes free goes to the claimant that has waited longest."""
        claims = self.claims[kind, connection, day]
        left = claims.pop(party)
        if left.standing != EFFECTIVE:
            return
        if claims and not self.holders(kind, connection, day):
            claims[in_order(claims)[0]] = Claim(EFFECTIVE)
        self.reopen(claims)

    def hand_over(self, claims: dict[str, Claim], winner: str, loser: str) -> None:
        """The day is the winner's, and refused to the loser; others that hold it keep it."""
        claims[winner] = Claim(EFFECTIVE)
        since = claims[loser].since
        claims[loser] = Claim(REFUSED, self.change if since is None else since, winner)
        self.reopen(claims)

    def reopen(self, claims: dict[str, Claim]) -> None:
        """What a party was refused is contested when the party that got it no longer holds it."""
        for claim in claims.values():
            if claim.given_to and getattr(claims.get(claim.given_to), "standing", None) != EFFECTIVE:
                claim.standing, claim.given_to = CONTESTED, None

    def holders(self, kind: str, connection: str, day: Day) -> list[str]:
        claims = self.claims.get((kind, connection, day), {})
        return [party for party, claim in claims.items() if claim.standing == EFFECTIVE]

    def claim(self, kind: str, party: str, connection: str, day: Day, policy: str) -> None:
        """A newly claimed day meets the policy."""
        claims = self.claims.setdefault((kind, connection, day), {})
        held = bool(self.holders(kind, connection, day))
        if not held or policy == "allow":
            claims[party] = Claim(EFFECTIVE)
            return
        claims[party] = Claim(CONTESTED, self.change)
        if policy == "newest wins" and day >= self.today:
            (holder,) = self.holders(kind, connection, day)
            self.hand_over(claims, party, holder)

    def note_exclusive(self, policy: str, held: set[tuple[str, str, Day]]) -> None:
        """Which memberships are exclusive after a change; `held` are the days that DSOs held before it."""
        known: dict[tuple[str, str, Day], bool] = {}
        for (party, _, connection, day), exclusive in self.exclusive.items():
            known[party, connection, day] = exclusive or known.get((party, connection, day), False)
        self.exclusive = {}
        for (party, place, connection), days in self.said.items():
            for day in days if place is not None else ():
                claim = party, connection, day
                holders = self.holders(MEMBERSHIP, connection, day)
                joins = party in holders and claim not in held and len(holders) > 1
                self.exclusive[party, place, connection, day] = (
                    known.get(claim, policy != "allow") and not joins
                )

    def held(self) -> set[tuple[str, str, Day]]:
        """The days of connections that each DSO holds."""
        return {
            (party, connection, day)
            for (kind, connection, day), claims in self.claims.items()
            for party, claim in claims.items()
            if kind == MEMBERSHIP and claim.standing == EFFECTIVE
        }

    def settle(self, model_conflict: ModelConflict, decision: str, at: Day | None = None) -> None:
        """Staff decide: keep, give, or split (the days from `at` on go to the claimant)."""
        self.change += 1
        days = covered(model_conflict.first, model_conflict.last)
        held = self.held()
        self.decided.append(Decision(self.change, *model_conflict[:4], days))
        for day in days:
            claims = self.claims[model_conflict.kind, model_conflict.connection, day]
            if decision == "give" or (decision == "split" and at is not None and day >= at):
                self.hand_over(claims, model_conflict.claimant, model_conflict.holder)
            else:
                self.hand_over(claims, model_conflict.holder, model_conflict.claimant)
        self.note_exclusive("hold", held)

    def settle_anew(self, made: Decision, decision: str, at: Day | None = None) -> bool:
        """Staff decide again what they decided; False where there is nothing to decide.

        About the days that one of the two holds and the other is refused against it, and that were not decided later.
        """
        parties = {made.holder, made.claimant}
        later = [
            other.days
            for other in self.decided
            if other.change > made.change
            and (other.kind, other.connection, {other.holder, other.claimant})
            == (made.kind, made.connection, parties)
        ]
        winners = {}
        for day in made.days.difference(*later):
            claims = self.claims.get((made.kind, made.connection, day), {})
            if any(
                party in claims and claims[party].given_to == other
                for party, other in ((made.holder, made.claimant), (made.claimant, made.holder))
            ):
                gives = decision == "give" or (decision == "split" and at is not None and day >= at)
                winners[day] = made.claimant if gives else made.holder
        if decision == "split" and set(winners.values()) != parties:
            return False
        changes = {
            day: claims
            for day, winner in winners.items()
            if (claims := self.claims[made.kind, made.connection, day])[winner].standing != EFFECTIVE
        }
        if not changes:
            return False
        self.change += 1
        held = self.held()
        for day, claims in changes.items():
            (loser,) = parties - {winners[day]}
            self.hand_over(claims, winners[day], loser)
        self.note_exclusive("hold", held)
        for block in blocks(winners):
            self.decided.append(made._replace(change=self.change, days=block))
        return True

    def adjust(
        self, party: str, place: Place, connection: str, row: frozenset[Day], days: frozenset[Day]
    ) -> bool:
        """Staff give some days of a claim's others in their place, as under `hold`; False where they cannot."""
        message = Message(self, REPRESENTATION if place is None else MEMBERSHIP, party)
        if days == row or not days:
            return False
        if place is not None:
            of_point = frozenset(self.terms[party, place])
            early = frozenset(day for day in days - of_point if of_point and day < min(of_point))
            strange = {"P4": early, "P3": days - of_point - early}
            if not days & of_point or any(strange[r] and message.policy(r) == "reject" for r in strange):
                return False
            for rule, outside in strange.items():
                days -= outside if message.policy(rule) == "adjust" else frozenset()
        old = message.before(place, connection)
        message.after[place, connection] = old - row | days
        if message.after[place, connection] == old:
            return False
        message.apply("hold")
        return True

    def adjust_terms(self, dso: str, point: str, row: frozenset[Day], days: frozenset[Day]) -> bool:
        """Staff give some days of a congestion point others in their place; False where they cannot."""
        old = self.terms[dso, point]
        others = {day: terms for day, terms in old.items() if day not in row}
        if days == row or not days or days & others.keys():
            return False
        message = Message(self, MEMBERSHIP, dso)
        message.terms[point] = others | dict.fromkeys(days, old[min(row)])
        covered_again = message.terms[point].keys() - old.keys()
        message.endings[point] = self.endings.get((dso, point), frozenset()) - covered_again
        message.clip(point)
        message.apply("hold")
        return True

    def set_policy(self, name: str, value: str) -> None:
        self.policies[name] = value

    # What is seen

    def conflicts(self) -> frozenset[ModelConflict]:
        days: dict[tuple[str, str, str, str], dict[Day, object]] = {}
        for (kind, connection, day), claims in self.claims.items():
            for party, claim in claims.items():
                if claim.standing == CONTESTED:
                    holder = self.holder(kind, connection, day)
                    days.setdefault((kind, connection, holder, party), {})[day] = None
        return frozenset(ModelConflict(*key, run.first, run.last) for key in days for run in runs(days[key]))

    def holder(self, kind: str, connection: str, day: Day) -> str:
        """Whom a conflict names: of several DSOs the one with an exclusive claim, else the one registered first."""

        def excludes(party: str) -> bool:
            return any(
                self.exclusive[key]
                for key in self.exclusive
                if (key[0], *key[2:]) == (party, connection, day) and kind == MEMBERSHIP
            )

        holders = sorted(self.holders(kind, connection, day))
        return holders[0] if len(holders) == 1 else min(holders, key=lambda party: not excludes(party))

    def view(self) -> View:
        representations: dict[tuple[str, str], tuple[Run, ...]] = {}
        memberships: dict[tuple[str, str, str], tuple[Run, ...]] = {}
        for (party, place, connection), days in self.said.items():
            kind = REPRESENTATION if place is None else MEMBERSHIP
            standings = {day: self.claims[kind, connection, day][party].standing for day in days}
            if days and place is None:
                representations[party, connection] = runs(standings)
            elif days and place is not None:
                memberships[party, place, connection] = runs(standings)
        waiting: dict[tuple[str, str], dict[Day, object]] = {}
        for (kind, connection, day), claims in self.claims.items():
            if queue := in_order(claims):
                waiting.setdefault((kind, connection), {})[day] = queue
        return View(
            terms={thing: runs(days) for thing, days in self.terms.items() if days},
            memberships=memberships,
            representations=representations,
            waiting={thing: runs(days) for thing, days in waiting.items()},
            conflicts=self.conflicts(),
        )


def together(lines: Iterable[tuple[Place, Line]]) -> dict[tuple[Place, str], list[Line]]:
    """Lines of one message about the same thing are taken together."""
    found: dict[tuple[Place, str], list[Line]] = {}
    for place, line in lines:
        found.setdefault((place, line.connection), []).append(line)
    return found


def ends_early(line: Line | Point) -> bool:
    """Whether its last day is before its first."""
    return line.last is not None and line.last < line.first


class Message:
    """One update on its way into the model: its sender's statements after it, and the rules it met."""

    def __init__(self, model: TimeModel, kind: str, sender: str) -> None:
        self.model, self.kind, self.sender = model, kind, sender
        self.after: dict[tuple[Place, str], frozenset[Day]] = {}
        self.terms: dict[str, dict[Day, Terms]] = {}
        self.as_they_are: dict[tuple[Place, str], frozenset[Day]] = {}
        self.mentioned: set[tuple[Place, str]] = set()
        self.stated: set[tuple[Place, str]] = set()
        self.met: set[str] = set()
        self.told: set[str] = set()
        self.endings: dict[str, frozenset[Day]] = {}
        self.counted: list[tuple[str, int, str]] = []
        self.contradicts = False

    def policy(self, rule: str) -> str:
        return self.model.policies[rule]

    def before(self, place: Place, connection: str) -> frozenset[Day]:
        return self.model.said.get((self.sender, place, connection), frozenset())

    def connections_at(self, place: Place) -> list[str]:
        """The connections of the sender's statements about `place`, before or after."""
        earlier = [c for sender, p, c in self.model.said if (sender, p) == (self.sender, place)]
        return list(dict.fromkeys(earlier + [c for p, c in self.after if p == place]))

    # Lines

    def state(self, place: Place, connection: str, lines: list[Line]) -> None:
        """What the lines about one connection leave of the earlier statement, and add to it."""
        old = self.before(place, connection)
        self.mentioned.add((place, connection))
        statements, stated = [], []
        for line in lines:
            self.judge_last_day(line.last)
            statement = self.plain(line.first, line.last)
            if place is None or statement.withdraws_from is not None:
                statements.append(statement)
            elif within := self.within_point(place, connection, statement):
                statements.append(within)
            else:
                continue
            stated.append(covered(line.first, line.last))
        if overlap(stated):
            self.met.add("P6")
        self.judge_withdrawal([s for s in statements if s.withdraws_from is not None], old)
        if statements:
            self.stated.add((place, connection))
        self.after[place, connection] = self.combine(old, statements)

    def judge_withdrawal(self, statements: list[Statement], old: Iterable[Day]) -> None:
        """P1: what the lines that end before they start withdraw, taken together, was never registered."""
        if statements and not any(day >= min(s.replaces_from for s in statements) for day in old):
            self.met.add("P1")

    def judge_last_day(self, last: Day | None) -> None:
        if last is not None and last < self.model.today - int(self.policy("P2 days")):
            self.met.add("P2")

    def plain(self, first: Day, last: Day | None) -> Statement:
        """A line replaces from min(first, last + 1) on; one that ends before it starts only withdraws."""
        if last is not None and last < first:
            return Statement(frozenset(), last + 1, last + 1)
        return Statement(covered(first, last), first)

    def within_point(self, place: str, connection: str, statement: Statement) -> Statement | None:
        """P3, P4 and P5: a connection is judged against its point's days after the message."""
        of_point = frozenset(self.terms[place])
        outside = statement.days - of_point
        if not outside:
            return statement
        if outside == statement.days:
            self.met.add("P5")
            return None
        early = frozenset(day for day in outside if day < min(of_point))
        taken = statement.days
        for rule, days in (("P4", early), ("P3", outside - early)):
            if days:
                self.met.add(rule)
                if self.policy(rule) != "accept":
                    taken -= days
        thing = place, connection
        self.as_they_are[thing] = self.as_they_are.get(thing, frozenset()) | (taken & outside)
        return Statement(taken, min(taken))

    def combine(
        self,
        old: frozenset[Day],
        statements: list[Statement],
        *,
        ended: frozenset[Day] = frozenset(),
        tells: bool = False,
    ) -> frozenset[Day]:
        """From then on, what touches or overlaps the new days gives way; P7 is about the rest.

        So does what covers one of the days `ended`. `tells`: the sender is told of what is kept.
        """
        if not statements:
            return old
        new = frozenset().union(*(s.days for s in statements))
        replaces_from = min(s.replaces_from for s in statements)
        withdraws_from = min(
            (s.withdraws_from for s in statements if s.withdraws_from is not None), default=FOREVER + 1
        )
        stays = frozenset(day for day in old if day < replaces_from)
        later = frozenset(
            day
            for block in blocks(old - stays)
            if not touches(block, new) and not block & ended
            for day in block
            if day < withdraws_from
        )
        if later:
            self.met.add("P7")
            if self.policy("P7") == "accept":
                later = frozenset()
            elif tells:
                self.told.add("P7")
        return stays | new | later

    # Congestion points

    def state_point(self, name: str, lines: list[Point]) -> None:
        """The days and terms of a congestion point after the message."""
        model = self.model
        old = model.terms.get((self.sender, name), {})
        statements, said, ended = [], [], set()
        for line in lines:
            self.judge_last_day(line.last)
            last = line.last
            if last is not None and model.ends_at_once(self.sender, line):
                ended |= {last} if line.first <= last else set()
                last -= 1
            statement = self.plain(line.first, last)
            if statement.withdraws_from is not None and not ends_early(line):
                statement = Statement(frozenset(), line.first)
            statements.append(statement)
            said.append((statement.days, line.terms))
        self.judge_withdrawal([s for s, line in zip(statements, lines, strict=True) if ends_early(line)], old)
        if overlap([days for days, _ in said]):
            self.met.add("P6")
            self.contradicts |= any(a & b and one != other for (a, one), (b, other) in combinations(said, 2))
        tells = any(model.ends(line) for line in lines)
        days = self.combine(frozenset(old), statements, ended=frozenset(ended), tells=tells)
        terms = {day: old[day] for day in days if day in old}
        for claimed, its_terms in said:
            terms.update(dict.fromkeys(claimed, its_terms))
        self.terms[name] = terms
        stated = {line.last for line in lines if line.last is not None and model.ends(line)}
        remembered = model.endings.get((self.sender, name), frozenset())
        covered_again = (terms.keys() - old.keys()) - stated
        self.endings[name] = (remembered - covered_again) | (stated & {model.today})

    def clip(self, name: str) -> None:
        """Days that a point has lost are lost to its connections, from the first of them on; D6 counts these."""
        old, new = self.model.terms.get((self.sender, name), {}), self.terms[name]
        lost, unstated = old.keys() - new.keys(), []
        for connection in self.connections_at(name):
            if (name, connection) not in self.stated:
                unstated.append(self.before(name, connection))
            if lost:
                days = self.after.get((name, connection), self.before(name, connection))
                stays = new.keys() | self.as_they_are.get((name, connection), frozenset())
                self.after[name, connection] = frozenset(d for d in days if d < min(lost) or d in stays)
        clipped = sum(any(d >= min(lost) and d not in new for d in days) for days in unstated) if lost else 0
        left = 0
        if old and any(d > max(old) for d in new):
            left = sum(bool(days) and max(days) == max(old) for days in unstated)
        for count, what in ((clipped, "clipped with"), (left, "clipped earlier with")):
            if count:
                self.told.add("D6")
                self.counted.append((name, count, what))

    def end_omitted(self, place: Place) -> None:
        """Connections that the message does not mention have today as their last day."""
        for connection in self.connections_at(place):
            if (place, connection) not in self.mentioned:
                days = self.after.get((place, connection), self.before(place, connection))
                self.after[place, connection] = frozenset(d for d in days if d <= self.model.today)

    # The answer

    def answer(self) -> Answer:
        """Applies the message, unless a rule rejects it as a whole."""
        model, kind = self.model, self.kind
        rejected = {rule for rule in self.met if self.policy(rule) == "reject"}
        if self.contradicts:
            rejected.add("P6")
        _, claims = self.differences()
        held = [(connection, day) for connection, day in claims if model.holders(kind, connection, day)]
        if held and self.policy(f"{kind} conflicts") == "reject":
            rejected.add(CONFLICT)
        if rejected:
            return Answer(rejected_for=frozenset(rejected))
        self.apply(self.policy(f"{kind} conflicts"))
        warned = (self.met - ({"P7"} if self.policy("P7") == "adjust" else set())) | self.told
        contests = {"hold": held, "newest wins": [day for _, day in held if day < model.today]}
        if contests.get(self.policy(f"{kind} conflicts")):
            warned.add(CONFLICT)
        return Answer(warned_of=frozenset(warned), counted=tuple(self.counted))

    def differences(self) -> tuple[list[tuple[str, Day]], list[tuple[str, Day]]]:
        """The days of connections that the sender lets go, and those that it claims anew."""
        leaves, claims = [], []
        for connection in sorted({connection for _, connection in self.after}):
            before = self.everywhere(connection, self.before)
            after = self.everywhere(connection, lambda p, c: self.after.get((p, c), self.before(p, c)))
            leaves += [(connection, day) for day in before - after]
            claims += [(connection, day) for day in after - before]
        return leaves, claims

    def apply(self, policy: str) -> None:
        """Let go and claim; `policy` is what newly claimed days meet that another holds."""
        model = self.model
        leaves, claims = self.differences()
        held = model.held()
        model.change += 1
        for connection, day in leaves:
            model.let_go(self.kind, self.sender, connection, day)
        for connection, day in claims:
            model.claim(self.kind, self.sender, connection, day, policy)
        for (place, connection), days in self.after.items():
            model.said[self.sender, place, connection] = days
        model.terms.update({(self.sender, name): terms for name, terms in self.terms.items()})
        model.endings.update({(self.sender, name): days for name, days in self.endings.items()})
        model.note_exclusive(policy, held)

    def everywhere(self, connection: str, days: Callable[[Place, str], frozenset[Day]]) -> frozenset[Day]:
        """The days of `connection` in the sender's statements, at whichever of its points."""
        places = {p for s, p, c in self.model.said if (s, c) == (self.sender, connection)}
        places |= {p for p, c in self.after if c == connection}
        return frozenset().union(*(days(place, connection) for place in places))
