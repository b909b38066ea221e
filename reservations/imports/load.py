"""Import a file of contracts as one change (docs/operating.md, CSV files)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from django.db import connection

from common.csv.importing import ImportRequest, Plan, fingerprint
from common.csv.reader import Fault, Row
from common.csv.rejects import RejectRow, in_order
from participants import audit
from participants.models import Participant, Role
from registry.changes import Recorder, Source, analyze
from registry.imports.column_checks import OTHER_ROLE, not_registered
from registry.imports.file_kinds import Kind
from registry.market.market import market
from registry.models import Change, Market
from reservations.contracts.versions import Comparison, ContractInput, compare, write
from reservations.imports import lines as import_lines
from reservations.imports import report as import_report
from reservations.imports.lines import COLUMNS, ContractLines

BATCH_SIZE = 1000
"""From this many new versions on, the tables are analyzed for the planner."""

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
"""How the rule for a column begins; `number` for all others."""


@dataclass
class ContractImporter:
    """Record the contracts of a file as one change, each as its first or next version.

    The file is read with COLUMNS. A contract that is stated as it is recorded stays; so does a contract that the file
    does not name. If any line of a contract is bad, the whole contract is bad, and all its lines are rejected.

    Bad lines can be skipped only if each of them can be read, since an unreadable line may be about any contract.
    """

    request: ImportRequest
    can_skip: bool = field(default=True, init=False)
    market: Market = field(default_factory=market, init=False)
    changed: ClassVar[str] = "The contracts have"

    def __post_init__(self) -> None:
        self.source = Source.of_import(self.request.file_name, self.request.actor, self.request.reason)
        self.recorder = Recorder(self.source)

    def read(self, rows: Iterable[Row | Fault]) -> int:
        """Read the contracts, and return how many lines there are."""
        read = list(rows)
        good = [each for each in read if isinstance(each, Row)]
        self.unreadable = [each for each in read if isinstance(each, Fault)]
        self.values = {row.line: row.values for row in good}
        self.contracts, self.faults = import_lines.read(good, self.market)
        return len({each.line for each in read})

    def check(self) -> None:
        """Find the participants and, if bad lines are to be skipped, keep only the contracts without bad lines."""
        self.parties, unknown = _parties(self.contracts)
        self.faults += unknown
        self.can_skip = not self.unreadable
        if self.can_skip and self.request.options.skip_bad_lines:
            self._compare(lock=False)
            self._leave_out_bad_contracts()

    def compare(self) -> list[RejectRow]:
        """Compare the contracts with what is recorded, and return all that is wrong.

        The contracts are locked if they may be written. If a contract is bad only now, nothing is imported.
        """
        known = len(self.faults)
        lock = self.can_skip and (self.request.options.skip_bad_lines or not known)
        self.comparisons = self._compare(lock=lock)
        self.can_skip &= len(self.faults) == known
        return self._rejects()

    def plan(self) -> Plan:
        """Return what changes."""
        self.differing = [each for each in self.comparisons if each.differs]
        self.new = sum(each.before is None for each in self.comparisons)
        return Plan(
            counts={
                "contracts new": self.new,
                "contracts changed": len(self.differing) - self.new,
                "contracts unchanged": len(self.comparisons) - len(self.differing),
            },
            warnings=import_report.near_duplicate_warnings(self.comparisons),
            sentences=import_report.change_sentences(self.comparisons),
            fingerprint=_fingerprint(self.differing),
        )

    def write(self) -> int | None:
        """Write the new versions, and record one audit entry."""
        versions = write(self.comparisons, self.recorder)
        if not versions:
            return None
        if len(versions) >= BATCH_SIZE:
            with connection.cursor() as cursor:
                analyze(
                    cursor,
                    "reservations_contract",
                    "reservations_contractversion",
                    "reservations_versionprofile",
                )
        change, request = self.recorder.change_id(), self.request
        after = {"contracts": f"{self.new:,} new, {len(versions) - self.new:,} changed", "change": change}
        about = Change(pk=change)
        audit.record(
            request.actor, "import contracts", request.file_name, None, after, request.reason, about=about
        )
        return change

    def finish(self) -> None:
        """Stamp the change with the parties of the contracts."""
        parties = (party for each in self.differing for party in (each.wanted.dso, each.wanted.agr))
        self.recorder.stamp({party.pk for party in parties})

    def _compare(self, *, lock: bool) -> list[Comparison]:
        """Compare the contracts with what is recorded, and add what is wrong with them to the faults."""
        comparisons = compare([self._wanted(each) for each in self.contracts], self.source, lock=lock)
        for contract, comparison in zip(self.contracts, comparisons, strict=True):
            for problem in comparison.problems:
                self.faults += contract.faults(problem)
        return comparisons

    def _leave_out_bad_contracts(self) -> None:
        """Keep the contracts without any bad line; add the other lines of the rest to the faults."""
        bad, good = {fault.line for fault in self.faults}, []
        for contract in self.contracts:
            wrong = bad.intersection(contract.lines)
            if not wrong:
                good.append(contract)
                continue
            text = f"Left out with line {min(wrong)} of the same contract."
            self.faults += [Fault(line, "", text) for line in contract.lines if line not in wrong]
        self.contracts = good

    def _rejects(self) -> list[RejectRow]:
        rejects = [(fault.line, fault.column, f"file: {fault.text}", "") for fault in self.unreadable]
        for fault in self.faults:
            rule = f"{RULES.get(fault.column, 'number')}: {fault.text}"
            rejects.append((fault.line, fault.column, rule, self.values[fault.line].get(fault.column, "")))
        return in_order(rejects, COLUMNS)

    def _wanted(self, contract: ContractLines) -> ContractInput:
        return ContractInput(
            dso=self.parties[Role.DSO, contract.dso],
            agr=self.parties[Role.AGR, contract.agr],
            contract_id=contract.contract_id,
            terms=contract.terms(self.market),
            state=contract.state,
        )


KIND = Kind(columns=COLUMNS, importer=ContractImporter, supports_full=False)


def _parties(contracts: Iterable[ContractLines]) -> tuple[dict[tuple[str, str], Participant], list[Fault]]:
    """Find the participants that the file names.

    Returns:
        The participants by role and domain, and a fault for each contract that names an unknown participant. In the
        place of an unknown participant is a row that is not stored.
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
        other = found.get((OTHER_ROLE[role], domain))
        text = not_registered(role, other.role if other and other.pk else "")
        if not domain:
            text = f"is empty: give the {role}'s domain"
        faults += [contract.fault(role.lower(), text) for contract in where]
    return found, faults


def _fingerprint(differing: Sequence[Comparison]) -> str:
    """Return the fingerprint of all that changes; empty if nothing does."""
    changes = sorted(
        (each.wanted.dso.domain, each.wanted.agr.domain, each.wanted.contract_id, sorted(_items(each)))
        for each in differing
    )
    return fingerprint(repr(changes)) if changes else ""


def _items(comparison: Comparison) -> Iterable[tuple[str, str]]:
    return ((name, repr(values)) for name, values in comparison.differences().items())
