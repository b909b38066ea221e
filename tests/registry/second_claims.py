"""Who holds a day, by the rules C1 to C12 of docs/rules.md: one claim for each party and day."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Day = int
Days = set[Day]

HORIZON = 400
"""Stands for all days from here on: nothing that is stated with a last day reaches it."""

REPRESENTATION, MEMBERSHIP = "representation", "membership"
EFFECTIVE, CONTESTED, REFUSED = "effective", "contested", "refused"


def all_days(first: Day, last: Day | None) -> Days:
    """D1: both days inclusive, and no last day is open-ended."""
    return set(range(first, (HORIZON if last is None else last) + 1))


def blocks(days: Iterable[Day]) -> list[Days]:
    """The longest runs of consecutive days, in order."""
    found: list[Days] = []
    for day in sorted(days):
        if found and day - 1 in found[-1]:
            found[-1].add(day)
        else:
            found.append({day})
    return found


def touches(block: Days, days: Days) -> bool:
    """Whether the block overlaps the days, or lies directly before or after one of them."""
    return any(day - 1 in days or day in days or day + 1 in days for day in block)


@dataclass
class Claim:
    """What a party's claim on one day of a connection counts for."""

    standing: str
    given_to: str | None = None
    """The party that the day was given to, where it is refused."""
    waits_since: int | None = None
    exclusive: bool = True


@dataclass(frozen=True, order=True)
class OpenConflict:
    kind: str
    connection: str
    holder: str
    claimant: str
    first: Day
    last: Day


@dataclass(frozen=True)
class Ruled:
    """Days that staff decided between two parties."""

    change: int
    kind: str
    connection: str
    parties: frozenset[str]
    days: frozenset[Day]


class Claims:
    """All claims, and the policies. `parties` are in the order in which they were registered."""

    def __init__(self, parties: Sequence[str]) -> None:
        self.parties = list(parties)
        self.today: Day = 0
        self.change = 0
        self.policies = {
            "P1": "reject",
            "P2": "accept",
            "P3": "adjust",
            "P4": "adjust",
            "P5": "reject",
            "P6": "adjust",
            "P7": "adjust",
            "P2 days": "30",
            "representation conflicts": "hold",
            "membership conflicts": "hold",
            "omitted connections": "keep",
        }
        self.claims = defaultdict[tuple[str, str], dict[Day, dict[str, Claim]]](lambda: defaultdict(dict))
        self.ruled: list[Ruled] = []
        self.met: Counter[str] = Counter()
        """How often a history met what the tests want to reach."""

    def holders(self, kind: str, connection: str, day: Day) -> list[str]:
        """The parties whose claims count on the day, in the order in which they were registered."""
        claims = self.claims[kind, connection][day]
        return [party for party in self.parties if party in claims and claims[party].standing == EFFECTIVE]

    def claim(
        self, kind: str, connection: str, party: str, before: Days, after: Days, policy: str = ""
    ) -> None:
        """C2 to C7: the party claims the days of `after`, where it claimed those of `before`."""
        policy = policy or self.policies[f"{kind} conflicts"]
        on_days = self.claims[kind, connection]
        for day in before - after:
            del on_days[day][party]
        for day in after - before:
            holders = self.holders(kind, connection, day)
            if not holders or policy == "allow" or (policy == "newest wins" and day >= self.today):
                if policy == "newest wins":
                    for holder in holders:
                        self.refuse(on_days[day][holder], party)
                on_days[day][party] = Claim(EFFECTIVE, exclusive=policy != "allow")
                self.met["two DSOs hold a day"] += policy == "allow" and bool(holders)
            else:
                on_days[day][party] = Claim(CONTESTED, waits_since=self.change)
        for day in before | after:
            self.judge_day(kind, connection, day)

    def refuse(self, claim: Claim, given_to: str) -> None:
        """C1, C3: a claim that counted, or waited already, is refused against the party."""
        if claim.standing == EFFECTIVE:
            claim.waits_since = self.change
        claim.standing, claim.given_to = REFUSED, given_to

    def judge_day(self, kind: str, connection: str, day: Day) -> None:
        """C3, C6: who gets a day that has become free, and which refusals have ended."""
        claims = self.claims[kind, connection][day]
        if claims and not self.holders(kind, connection, day):
            self.met["a free day goes to who waited"] += 1
            self.count(kind, connection, day, self.waiting(kind, connection, day)[0])
        holders = self.holders(kind, connection, day)
        for claim in claims.values():
            if claim.standing == REFUSED:
                if claim.given_to not in holders:
                    claim.standing, claim.given_to = CONTESTED, None
                    self.met["refused, and contested with another"] += 1
                elif len(holders) > 1:
                    self.met["refused where several hold the day"] += 1

    def count(self, kind: str, connection: str, day: Day, party: str) -> None:
        """C1, C8: the party's claim comes to count."""
        claim = self.claims[kind, connection][day][party]
        claim.exclusive = claim.exclusive and not self.holders(kind, connection, day)
        claim.standing, claim.given_to, claim.waits_since = EFFECTIVE, None, None

    def waiting(self, kind: str, connection: str, day: Day) -> list[str]:
        """C1, C6: the parties whose claims on the day do not count, who has waited longest first."""
        claims = self.claims[kind, connection][day]
        return sorted(
            (party for party in claims if claims[party].standing != EFFECTIVE),
            key=lambda party: (claims[party].waits_since, self.parties.index(party)),
        )

    def conflicts(self) -> set[OpenConflict]:
        """C8."""
        contested = defaultdict[tuple[str, str, str, str], Days](set)
        for (kind, connection), on_days in self.claims.items():
            for day, claims in on_days.items():
                for party, claim in claims.items():
                    if claim.standing == CONTESTED:
                        holder = self.holder_in_conflict(kind, connection, day)
                        contested[kind, connection, holder, party].add(day)
        return {
            OpenConflict(*between, min(block), max(block))
            for between, days in contested.items()
            for block in blocks(days)
        }

    def holder_in_conflict(self, kind: str, connection: str, day: Day) -> str:
        """C8: the DSO whose claim is exclusive, else the one that was registered first."""
        holders = self.holders(kind, connection, day)
        claims = self.claims[kind, connection][day]
        return next((party for party in holders if claims[party].exclusive), holders[0])

    def settle(self, conflict: OpenConflict, decision: str, at: Day | None) -> None:
        """C9."""
        self.change += 1
        days = all_days(conflict.first, conflict.last)
        for day in days:
            self.rule(conflict.kind, conflict.connection, day, *given(conflict, decision, at, day))
        self.ruled.append(
            Ruled(
                self.change,
                conflict.kind,
                conflict.connection,
                frozenset({conflict.holder, conflict.claimant}),
                frozenset(days),
            )
        )
        self.met[f"{decision}, {conflict.kind}"] += 1

    def settle_anew(self, conflict: OpenConflict, change: int, decision: str, at: Day | None) -> bool:
        """C12: decide a conflict anew that was decided in that change; returns whether anything is to be decided."""
        parties = frozenset({conflict.holder, conflict.claimant})
        on_days = self.claims[conflict.kind, conflict.connection]
        decided: Days = set()
        for day in all_days(conflict.first, conflict.last):
            winner, loser = given(conflict, decision, at, day)
            claims = on_days[day]
            if any(
                later.change > change
                and (later.kind, later.connection) == (conflict.kind, conflict.connection)
                and later.parties == parties
                and day in later.days
                for later in self.ruled
            ):
                continue
            if (
                parties <= claims.keys()
                and claims[loser].standing == EFFECTIVE
                and (claims[winner].standing, claims[winner].given_to) == (REFUSED, loser)
            ):
                decided.add(day)
        if not decided:
            return False
        self.change += 1
        for day in decided:
            self.rule(conflict.kind, conflict.connection, day, *given(conflict, decision, at, day))
        self.ruled.append(Ruled(self.change, conflict.kind, conflict.connection, parties, frozenset(decided)))
        self.met["decided anew"] += 1
        return True

    def rule(self, kind: str, connection: str, day: Day, winner: str, loser: str) -> None:
        """C9: the day is the winner's, and refused to the loser against it."""
        claims = self.claims[kind, connection][day]
        self.refuse(claims[loser], winner)
        if claims[winner].standing != EFFECTIVE:
            self.count(kind, connection, day, winner)
        self.judge_day(kind, connection, day)


def given(conflict: OpenConflict, decision: str, at: Day | None, day: Day) -> tuple[str, str]:
    """Who gets the day by a decision, and who does not."""
    to_claimant = decision == "give" or (decision == "split" and at is not None and day >= at)
    return (conflict.claimant, conflict.holder) if to_claimant else (conflict.holder, conflict.claimant)
