"""A file of contracts: all of it is recorded, or nothing (docs/operating.md, CSV files)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from participants import journal
from participants.csv_files import Fault, Row
from participants.models import Participant, Role
from registry.changes import Recorder, Source, analyze
from registry.market import market
from reservations import contract_lines
from reservations.contract_lines import COLUMNS, ContractLines
from reservations.contract_versions import Comparison, Wanted, compare, write

MANY = 1000
"""Contracts after which the planner is told how many there are."""


class ImportRefused(ValueError):
    """A file of which nothing was taken: `faults` is everything that is wrong, in the order of the lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        places = {column: place for place, column in enumerate(COLUMNS)}
        self.faults = sorted(faults, key=lambda fault: (fault.line, places.get(fault.column, -1)))
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @property
    def lines(self) -> int:
        """On how many lines something is wrong."""
        return len({fault.line for fault in self.faults})


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file of contracts changed, or would; `change` is the number of the change, None where there is none."""

    comparisons: Sequence[Comparison]
    change: int | None

    @property
    def new(self) -> list[Comparison]:
        return [each for each in self.comparisons if each.before is None]

    @property
    def changed(self) -> list[Comparison]:
        return [each for each in self.comparisons if each.before is not None and each.differs]

    @property
    def unchanged(self) -> int:
        return sum(not each.differs for each in self.comparisons)


@transaction.atomic
def import_contracts(rows: Iterable[Row | Fault], *, source: Source, dry_run: bool = False) -> Imported:
    """Record the contracts of a file, each as its first or next version; those that say the same stay as they are.

    `rows` are the file's, read with the columns `contract_lines.COLUMNS`. All are one change, by `source`; contracts
    that the file does not name stay. With `dry_run` nothing is written. Raises ImportRefused with everything that is
    wrong on any line.
    """
    of = market()
    given = list(rows)
    faults = [each for each in given if isinstance(each, Fault)]
    contracts, unusable = contract_lines.read((each for each in given if isinstance(each, Row)), of)
    faults += unusable
    parties, unknown = _parties(contracts)
    faults += unknown
    wanted = [
        Wanted(
            dso=parties[Role.DSO, each.dso],
            agr=parties[Role.AGR, each.agr],
            contract_id=each.contract_id,
            terms=each.terms(of),
            state=each.state,
        )
        for each in contracts
    ]
    comparisons = compare(wanted, source, hold=not dry_run and not faults)
    for contract, comparison in zip(contracts, comparisons, strict=True):
        for problem in comparison.problems:
            faults += contract.faults(problem)
    if faults:
        raise ImportRefused(faults)
    return Imported(comparisons, None if dry_run else _write(comparisons, source))


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
        text = (
            f"{domain!r} is not on record as {role}" if domain else f"This is empty: give the {role}'s domain"
        )
        if (other, domain) in found and found[other, domain].pk:
            text = f"{text}, only as {other}"
        faults += [contract.fault(role.lower(), f"{text}.") for contract in where]
    return found, faults


def _write(comparisons: Sequence[Comparison], source: Source) -> int | None:
    recorder = Recorder(source)
    versions = write(comparisons, recorder)
    if not versions:
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
    journal.note(
        source.actor,
        "import contracts",
        name,
        None,
        {
            "contracts": f"{new:,} new, {len(versions) - new:,} changed",
            "change": recorder.change_id(),
        },
        why,
    )
    differing = [each.wanted for each in comparisons if each.differs]
    recorder.stamp({party.pk for each in differing for party in (each.dso, each.agr)})
    return recorder.change_id()
