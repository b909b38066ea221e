"""A file of contracts: recorded as one change (docs/operating.md, CSV files)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from itertools import islice
from typing import Any

from django.db import connection, transaction

from common.csv.importing import Imported, ImportRefused, Options, Step, quiet
from common.csv.reader import Fault, Row
from common.csv.rejects import Rejects
from common.previews import ConsequencesChanged
from participants import audit
from participants.models import Participant, Role
from registry.changes import Recorder, Source, analyze
from registry.imports.file_kinds import Kind
from registry.market.market import market
from registry.models import Change, Market
from reservations.contracts.versions import Comparison, Wanted, compare, write
from reservations.imports import lines as import_lines
from reservations.imports import report as import_report
from reservations.imports.lines import COLUMNS, ContractLines

MANY = 1000
"""Contracts after which the planner is told how many there are."""

TOLD = 50
"""Contracts of which is told what becomes of them."""

RULES = {
    "": "contract",
    "dso": "participant",
    "agr": "participant",
    "contract_id": "contract",
    "congestion_point": "address",
    "start": "day",
    "end": "day",
    "isp_duration": "duration",
    "deadline_time": "time",
    "state": "state",
    "days": "day",
}
"""What begins the rule for a column; of all others it is a number."""

PLACES = {column: place for place, column in enumerate(COLUMNS)}


def nothing() -> None:
    """Nothing is left to do before the commit."""


@transaction.atomic
def import_contracts(
    rows: Iterable[Row | Fault],
    *,
    source: Source,
    rejects: Rejects,
    options: Options | None = None,
    step: Step = quiet,
    before_commit: Callable[[], None] = nothing,
    expected: str | None = None,
) -> Imported:
    """Record the contracts of a file, each as its first or next version; those that say the same stay as they are.

    `rows` are the file's, read with the columns `contract_lines.COLUMNS`. All are one change, by `source`; contracts
    that the file does not name stay. A contract of which any line is bad is bad as a whole, and `rejects` names all its
    lines. Raises ImportRefused with everything that is wrong, also where bad lines are to be skipped and one cannot be
    read, since any contract may have been on it; ConsequencesChanged where it would not do what `expected` is the
    fingerprint of. `before_commit` is called before the change gets its moment.
    """
    options = options or Options()
    file = _File(market())
    step("reading")
    file.read(rows)
    step("checking")
    file.resolve()
    if options.skip_bad_lines and not file.misshapen:
        file.compare(file.contracts, source, hold=False)
        good = file.leave_out_bad_contracts()
        rejects.fill(file.in_order())
        file.faults.clear()
        step("comparing")
        comparisons = file.compare(good, source, hold=True)
    else:
        comparisons = file.compare(file.contracts, source, hold=not (file.faults or file.misshapen))
    if file.faults or file.misshapen:
        rejects.fill(file.in_order())
        raise ImportRefused(rejects)
    fingerprint = _fingerprint(comparisons)
    if expected is not None and fingerprint != expected:
        raise ConsequencesChanged("The contracts have")
    step("writing")
    differing = [each for each in comparisons if each.differs]
    new = sum(each.before is None for each in comparisons)
    return Imported(
        change=_write(comparisons, source, before_commit),
        lines=file.lines,
        counts={
            "contracts new": new,
            "contracts changed": len(differing) - new,
            "contracts unchanged": len(comparisons) - len(differing),
        },
        told=tuple(islice(import_report.told(comparisons), TOLD)),
        fingerprint=fingerprint,
    )


def _run(rows: Iterable[Row | Fault], *, now: datetime, **rest: Any) -> Imported:
    """A file of contracts is the same on every day."""
    return import_contracts(rows, **rest)


KIND = Kind(columns=COLUMNS, run=_run, takes_full=False)


@dataclass
class _File:
    """What was read of a file so far, and what is wrong with it.

    `misshapen` is what is wrong with the form of lines, of which nobody knows the contract then.
    """

    market: Market
    lines: int = 0
    misshapen: list[Fault] = field(default_factory=list)
    contracts: list[ContractLines] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    values: dict[int, dict[str, str]] = field(default_factory=dict)
    parties: dict[tuple[str, str], Participant] = field(default_factory=dict)

    def read(self, rows: Iterable[Row | Fault]) -> None:
        given = list(rows)
        self.lines = len({each.line for each in given})
        self.misshapen = [each for each in given if isinstance(each, Fault)]
        self.values = {each.line: each.values for each in given if isinstance(each, Row)}
        read = (each for each in given if isinstance(each, Row))
        self.contracts, unusable = import_lines.read(read, self.market)
        self.faults = unusable

    def resolve(self) -> None:
        """Find the participants."""
        self.parties, unknown = _parties(self.contracts)
        self.faults += unknown

    def compare(self, contracts: Sequence[ContractLines], source: Source, *, hold: bool) -> list[Comparison]:
        """These contracts beside what is recorded of them; what is wrong with them is among the faults then."""
        comparisons = compare([self._wanted(each) for each in contracts], source, hold=hold)
        for contract, comparison in zip(contracts, comparisons, strict=True):
            for problem in comparison.problems:
                self.faults += contract.faults(problem)
        return comparisons

    def leave_out_bad_contracts(self) -> list[ContractLines]:
        """The contracts with which nothing is wrong; the other lines of the rest are among the faults then."""
        bad, good = {fault.line for fault in self.faults}, []
        for contract in self.contracts:
            wrong = bad.intersection(contract.lines)
            if not wrong:
                good.append(contract)
                continue
            text = f"Left out with line {min(wrong)} of the same contract."
            self.faults += [Fault(line, "", text) for line in contract.lines if line not in wrong]
        return good

    def in_order(self) -> list[tuple[int, str, str, str]]:
        """The faults as rejects, by their lines and columns."""
        rejects = [(fault.line, fault.column, f"file: {fault.text}", "") for fault in self.misshapen]
        for fault in self.faults:
            rule = f"{RULES.get(fault.column, 'number')}: {fault.text}"
            value = self.values[fault.line].get(fault.column, "")
            rejects.append((fault.line, fault.column, rule, value))
        return sorted(rejects, key=lambda reject: (reject[0], PLACES.get(reject[1], -1)))

    def _wanted(self, contract: ContractLines) -> Wanted:
        return Wanted(
            dso=self.parties[Role.DSO, contract.dso],
            agr=self.parties[Role.AGR, contract.agr],
            contract_id=contract.contract_id,
            terms=contract.terms(self.market),
            state=contract.state,
        )


def _parties(contracts: Iterable[ContractLines]) -> tuple[dict[tuple[str, str], Participant], list[Fault]]:
    """The participants that the file names, by role and domain, and the lines that name one that there is not.

    One that is not on record stands in for it.
    """
    named: dict[tuple[str, str], list[ContractLines]] = {}
    for contract in contracts:
        named.setdefault((Role.DSO, contract.dso), []).append(contract)
        named.setdefault((Role.AGR, contract.agr), []).append(contract)
    rows = Participant.objects.filter(domain__in={domain for _, domain in named})
    found = {(row.role, row.domain): row for row in rows}
    faults = []
    for (role, domain), where in named.items():
        if (role, domain) in found:
            continue
        found[role, domain] = Participant(role=role, domain=domain)
        other = Role.AGR if role == Role.DSO else Role.DSO
        text = f"not on record as {role}" if domain else f"is empty: give the {role}'s domain"
        if (other, domain) in found and found[other, domain].pk:
            text = f"{text}, only as {other}"
        faults += [contract.fault(role.lower(), text) for contract in where]
    return found, faults


def _fingerprint(comparisons: Sequence[Comparison]) -> str:
    """Of all that changes; empty where nothing does."""
    said = sorted(
        (each.wanted.dso.domain, each.wanted.agr.domain, each.wanted.contract_id, sorted(_items(each)))
        for each in comparisons
        if each.differs
    )
    return sha256(repr(said).encode()).hexdigest()[:32] if said else ""


def _items(comparison: Comparison) -> Iterable[tuple[str, str]]:
    return ((name, repr(said)) for name, said in comparison.differences().items())


def _write(
    comparisons: Sequence[Comparison], source: Source, before_commit: Callable[[], None]
) -> int | None:
    recorder = Recorder(source)
    versions = write(comparisons, recorder)
    if not versions:
        before_commit()
        return None
    if len(versions) >= MANY:
        with connection.cursor() as cursor:
            analyze(
                cursor,
                "reservations_contract",
                "reservations_contractversion",
                "reservations_versionprofile",
            )
    new = sum(each.before is None for each in comparisons)
    name, _, why = source.reason.partition("\n")
    audit.note(
        source.actor,
        "import contracts",
        name,
        None,
        {
            "contracts": f"{new:,} new, {len(versions) - new:,} changed",
            "change": recorder.change_id(),
        },
        why,
        about=Change(pk=recorder.change_id()),
    )
    before_commit()
    differing = [each.wanted for each in comparisons if each.differs]
    recorder.stamp({party.pk for each in differing for party in (each.dso, each.agr)})
    return recorder.change_id()
