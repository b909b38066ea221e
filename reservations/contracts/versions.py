"""Comparison of wanted contracts with the recorded ones, and their next versions (docs/rules.md F17).

`compare` finds all problems and all differences. `write` stores the contracts that differ. Both work on sets: 5,000
contracts take as many SQL statements as one contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from participants.models import Participant, Role
from registry.changes import Recorder, Source
from registry.market.market import market
from registry.models import Change, Market
from registry.periods import half_open
from registry.queries.change_sources import source_in_words
from reservations.contracts.profiles import Profile
from reservations.contracts.stored_profiles import profiles_of
from reservations.contracts.terms import (
    Problem,
    Terms,
    normalised,
    problems,
    problems_of_id,
    terms_in_words,
    terms_of,
)
from reservations.models import Contract, ContractVersion, ReservationUpdate, VersionProfile

BATCH = 1000
State = ContractVersion.State


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractInput:
    """A contract as it should be recorded. `expected` is as for `record.record`."""

    dso: Participant
    agr: Participant
    contract_id: str
    terms: Terms
    state: ContractVersion.State
    expected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A wanted contract compared with the recorded one.

    Attributes:
        wanted: The wanted contract.
        contract: The recorded contract. None when there is none, and `compare` was not to lock.
        current: The current version, or None.
        time_zone: The time zone of the next version.
        before: The content of the current version as text by name; None for a new contract.
        after: The same of the next version; empty when there are problems.
        problems: All reasons why the wanted contract cannot be recorded.
    """

    wanted: ContractInput
    contract: Contract | None
    current: ContractVersion | None
    time_zone: str
    before: dict[str, str] | None
    after: dict[str, str]
    problems: Sequence[Problem]

    @property
    def differs(self) -> bool:
        """Return whether the wanted contract differs from the recorded one."""
        return self.before != self.after

    def differences(self) -> dict[str, tuple[str | None, str | None]]:
        """Return each difference by name, as (before, after). A value is None when that version has no such part."""
        before = self.before or {}
        names = dict.fromkeys((*self.after, *before))
        found = {name: (before.get(name), self.after.get(name)) for name in names}
        return {name: (old, new) for name, (old, new) in found.items() if old != new}


def compare(wanted: Sequence[ContractInput], source: Source, *, lock: bool) -> list[Comparison]:
    """Compare each wanted contract with the recorded one, and find all problems.

    With `lock`, new contracts are created, and all contracts are locked until the transaction ends, in the order of
    their primary keys. Without it, nothing is written.
    """
    contracts = _contracts({_key(each) for each in wanted}, lock=lock)
    versions = {
        version.contract_id: version
        for version in ContractVersion.objects.current().filter(
            contract__in=[contract.pk for contract in contracts.values()]
        )
    }
    profiles = profiles_of(versions.values())
    updated = _with_updates(contracts[_key(each)].pk for each in wanted if _key(each) in contracts)
    market_now = market()
    return [
        _compare(each, contracts.get(_key(each)), versions, profiles, updated, market_now, source)
        for each in wanted
    ]


def write(comparisons: Sequence[Comparison], recorder: Recorder) -> list[ContractVersion]:
    """Write the next version of each contract that differs, and return the new versions.

    The contracts of `comparisons` must be locked, and have no problems.
    """
    differing = [each for each in comparisons if each.differs]
    if not differing:
        return []
    change = recorder.change_id()
    ContractVersion.objects.filter(pk__in=[each.current.pk for each in differing if each.current]).update(
        superseded_by=change
    )
    versions = ContractVersion.objects.bulk_create(
        [_version(each, change) for each in differing], batch_size=BATCH
    )
    VersionProfile.objects.bulk_create(
        [
            row
            for version, each in zip(versions, differing, strict=True)
            for row in _profile_rows(version, normalised(each.wanted.terms).profile)
        ],
        batch_size=BATCH,
    )
    return versions


Key = tuple[int, int, str]


def _key(wanted: ContractInput) -> Key:
    return wanted.dso.pk, wanted.agr.pk, wanted.contract_id


def _contracts(keys: set[Key], *, lock: bool) -> dict[Key, Contract]:
    """Return the recorded contracts by key.

    With `lock`, create missing ones, except where the ContractID is not allowed, and lock all.
    """
    found = _found(keys)
    if lock:
        missing = sorted(key for key in keys - found.keys() if not any(problems_of_id(key[-1])))
        if missing:
            Contract.objects.bulk_create(
                [
                    Contract(dso_id=dso, agr_id=agr, contract_id=contract_id)
                    for dso, agr, contract_id in missing
                ],
                batch_size=BATCH,
                ignore_conflicts=True,
            )
            found = _found(keys)
        locked = Contract.objects.select_for_update(no_key=True).order_by("pk")
        list(locked.filter(pk__in=[contract.pk for contract in found.values()]).values_list("pk"))
    return found


def _found(keys: set[Key]) -> dict[Key, Contract]:
    rows = Contract.objects.filter(
        dso__in={dso for dso, _, _ in keys},
        agr__in={agr for _, agr, _ in keys},
        contract_id__in={contract_id for _, _, contract_id in keys},
    )
    by_key = {(row.dso_id, row.agr_id, row.contract_id): row for row in rows}
    return {key: by_key[key] for key in keys & by_key.keys()}


def _with_updates(contracts: Iterable[int]) -> set[int]:
    """Return the contracts (primary keys) that have an update."""
    updates = ReservationUpdate.objects.filter(contract__in=list(contracts)).order_by()
    return set(updates.values_list("contract_id", flat=True).distinct())


def _compare(
    wanted: ContractInput,
    contract: Contract | None,
    versions: dict[int, ContractVersion],
    profiles: dict[int, Profile],
    updated: set[int],
    market: Market,
    source: Source,
) -> Comparison:
    current = versions.get(contract.pk) if contract else None
    before = None
    if current:
        before = terms_in_words(terms_of(current, profiles[current.pk]), current.state, current.time_zone)
    if current and wanted.expected == 0:
        return Comparison(
            wanted=wanted,
            contract=contract,
            current=current,
            time_zone=current.time_zone,
            before=before,
            after={},
            problems=[_exists_already(wanted, current)],
        )
    # A contract that is ended keeps its ISPs and its time zone.
    kept_zone = (
        current.time_zone
        if current and wanted.state == State.ENDED and wanted.terms.isp_minutes == current.isp_minutes
        else ""
    )
    found = list(_problems(wanted, current, contract is not None and contract.pk in updated))
    # A ContractID or a congestion point that is recorded may be older than the rule for its form (docs/rules.md E1).
    kept_point = current is not None and wanted.terms.congestion_point == current.congestion_point
    found += [
        problem
        for problem in problems(wanted.terms, market, kept_zone)
        if not (kept_point and problem.field == "congestion_point")
    ]
    after = {} if found else terms_in_words(wanted.terms, wanted.state, kept_zone or market.time_zone)
    if found or before != after:
        found += problems_of_reason(source, wanted.state, current)
    return Comparison(
        wanted=wanted,
        contract=contract,
        current=current,
        time_zone=kept_zone or market.time_zone,
        before=before,
        after=after,
        problems=found,
    )


def _problems(wanted: ContractInput, current: ContractVersion | None, has_updates: bool) -> Iterator[Problem]:
    for field, party, role in (("dso", wanted.dso, Role.DSO), ("agr", wanted.agr, Role.AGR)):
        if party.role != role:
            yield Problem(field, f"{party} is not registered as {role}.")
    if current is None:
        yield from problems_of_id(wanted.contract_id)
    number = current.number if current else 0
    if wanted.expected is not None and wanted.expected != number:
        yield _changed_meanwhile(wanted, current)
    if wanted.state == State.ENDED and wanted.terms.last is None:
        yield Problem("end", "An ended contract has a last day: give it.")
    if wanted.state == State.DRAFT and current and current.state != State.DRAFT and has_updates:
        yield Problem(
            "state",
            f"The contract is {current.state} and updates are about it: it cannot become a draft again. End it"
            " instead.",
        )


def problems_of_reason(
    source: Source, state: ContractVersion.State, current: ContractVersion | None
) -> Iterator[Problem]:
    """Yield a problem when staff give no reason, unless the contract is and stays a draft."""
    drafts = state == State.DRAFT and (current is None or current.state == State.DRAFT)
    if source.kind == Change.Kind.STAFF and not drafts and not source.reason.strip():
        yield Problem(
            "reason", "Say why: a contract in force, and every change of it, is recorded with a reason."
        )


def _changed_meanwhile(wanted: ContractInput, current: ContractVersion | None) -> Problem:
    if current is None:
        return Problem("", "There is no such contract any more.")
    return Problem(
        "",
        f"Meanwhile the contract was changed {_recorded(current)} and is in version {current.number}. Open the page"
        " again, and try again.",
    )


def _exists_already(wanted: ContractInput, current: ContractVersion) -> Problem:
    return Problem(
        "contract_id",
        f"{wanted.dso} and {wanted.agr} have a contract of this ContractID already, recorded {_recorded(current)}.",
    )


def _recorded(version: ContractVersion) -> str:
    """Return in words who recorded `version`, and when."""
    changes = Change.objects.select_related("message__sender").defer("message__sealed")
    return source_in_words(changes.get(pk=version.recorded_by_id))


def _version(comparison: Comparison, change: int) -> ContractVersion:
    terms, contract, current = comparison.wanted.terms, comparison.contract, comparison.current
    assert contract is not None
    return ContractVersion(
        contract=contract,
        number=current.number + 1 if current else 1,
        state=comparison.wanted.state,
        congestion_point=terms.congestion_point,
        period=half_open(terms.first, terms.last),
        isp_minutes=terms.isp_minutes,
        time_zone=comparison.time_zone,
        deadline_days=terms.deadline.days,
        deadline_at=terms.deadline.at,
        deadline_hours=terms.deadline.hours,
        recorded_by_id=change,
    )


def _profile_rows(version: ContractVersion, profile: Profile) -> Iterator[VersionProfile]:
    parts = [
        *([(None, None, profile.every_day)] if profile.every_day else []),
        *((weekday, None, stretches) for weekday, stretches in profile.weekdays.items()),
        *((None, day, stretches) for day, stretches in profile.days.items()),
    ]
    for weekday, day, stretches in parts:
        yield VersionProfile(
            version=version,
            weekday=weekday,
            day=day,
            stretches=[[each.first, each.last, each.watts] for each in stretches],
        )
