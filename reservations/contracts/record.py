"""The verbs on contracts: record, put in force, make a draft again, end (docs/rules.md F17).

Each verb is one transaction. It may lose a race, so callers repeat it with `common.retry.retried`.
`reservations.imports.load` records a whole file of contracts with the same `compare` and `write`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from django.db import transaction

from participants import audit
from participants.models import Participant
from registry.changes import Recorder, Source
from registry.models import Change
from reservations.contracts.profiles import Profile
from reservations.contracts.terms import ContractError, Problem, Terms, terms_of
from reservations.contracts.versions import ContractInput, State, compare, write
from reservations.models import Contract, ContractVersion

__all__ = [
    "ContractError",
    "Problem",
    "Terms",
    "back_to_draft",
    "end",
    "put_in_force",
    "record",
    "terms_of",
]


@transaction.atomic
def record(
    dso: Participant,
    agr: Participant,
    contract_id: str,
    terms: Terms,
    *,
    state: ContractVersion.State,
    source: Source,
    expected: int | None = None,
) -> ContractVersion | None:
    """Record `terms` and `state` as the first or the next version of a contract.

    A draft may be put in force or ended. A contract in force may be ended. Staff who made a mistake may put an ended
    contract in force again. A contract that has an update cannot become a draft again. An ended contract needs a last
    day.

    Args:
        dso: The contract's DSO.
        agr: The contract's AGR.
        contract_id: The ContractID.
        terms: What the contract says.
        state: The state of the new version.
        source: Who records it, and why. Staff need a reason, unless the contract is and stays a draft.
        expected: The number of the version that staff looked at; 0 if the contract must be new; None if any current
            version may be superseded.

    Returns:
        The new version, or None when nothing differs.

    Raises:
        ContractError: A party has another role, the terms or the state are not allowed, the current version is not
            the expected one, or the reason is missing. It holds all problems.
    """
    wanted = ContractInput(
        dso=dso, agr=agr, contract_id=contract_id, terms=terms, state=state, expected=expected
    )
    return _record(wanted, source)


@transaction.atomic
def put_in_force(
    contract: Contract, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """Put a draft or an ended contract in force, with unchanged terms; an ended contract keeps its last day.

    Return None when it is in force already. `expected` and the errors are as for `record`.
    """
    return _with_state(contract, State.IN_FORCE, source, expected)


@transaction.atomic
def back_to_draft(
    contract: Contract, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """Make a contract a draft again, if it has no update.

    Return None when it is a draft already. `expected` and the errors are as for `record`.
    """
    return _with_state(contract, State.DRAFT, source, expected)


@transaction.atomic
def end(
    contract: Contract, last: date, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """End a contract after the day `last`, inclusive. The days up to `last` keep counting.

    `last` may be in the past. Later days are then no longer settled, even when updates for them were accepted. Those
    updates stay stored, and count again if the contract gets its days back. Single days of the profile after `last` are
    removed. All other terms stay, also the ISPs and the time zone when the market has other ones by then.

    `expected` and the errors are as for `record`.

    Raises:
        ContractError: Also when the contract is a draft, has an earlier last day, or begins after `last`. A contract
            that never was in force is made a draft again with `back_to_draft`.
    """
    current = _locked_current_version(contract)
    found = terms_of(current)
    if current.state == State.DRAFT:
        raise ContractError([Problem("state", "This contract is a draft: only one in force can end.")])
    if last < found.first:
        raise ContractError(
            [
                Problem(
                    "end",
                    f"The contract begins on {found.first}: it cannot end before. If it never was in force, make it a"
                    " draft again.",
                )
            ]
        )
    if found.last is not None and last > found.last:
        raise ContractError(
            [
                Problem(
                    "end", f"The contract ends with {found.last} already: change its days to have it longer."
                )
            ]
        )
    days = {day: stretches for day, stretches in found.profile.days.items() if day <= last}
    profile = Profile(found.profile.every_day, found.profile.weekdays, days)
    return _record(
        _as_input(contract, replace(found, last=last, profile=profile), State.ENDED, expected), source
    )


def _record(wanted: ContractInput, source: Source) -> ContractVersion | None:
    (comparison,) = compare([wanted], source, lock=True)
    if comparison.problems:
        raise ContractError(comparison.problems)
    recorder = Recorder(source)
    versions = write([comparison], recorder)
    if not versions:
        return None
    parties = [wanted.dso.pk, wanted.agr.pk]
    if source.kind == Change.Kind.STAFF:
        differences = comparison.differences()
        audit.record(
            source.actor,
            "change contract" if comparison.current else "add contract",
            f"contract {wanted.contract_id} of {wanted.dso} and {wanted.agr}",
            {name: before for name, (before, _) in differences.items()} if comparison.current else None,
            {
                **{name: after for name, (_, after) in differences.items()},
                "version": versions[0].number,
                "change": recorder.change_id(),
            },
            source.reason,
            about=versions[0].contract,
            participants=parties,
        )
    recorder.stamp(parties)
    return versions[0]


def _with_state(
    contract: Contract, state: ContractVersion.State, source: Source, expected: int | None
) -> ContractVersion | None:
    return _record(_as_input(contract, terms_of(_locked_current_version(contract)), state, expected), source)


def _as_input(
    contract: Contract, terms: Terms, state: ContractVersion.State, expected: int | None
) -> ContractInput:
    return ContractInput(
        dso=contract.dso,
        agr=contract.agr,
        contract_id=contract.contract_id,
        terms=terms,
        state=state,
        expected=expected,
    )


def _locked_current_version(contract: Contract) -> ContractVersion:
    """Lock the contract's row, and return its current version."""
    Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    return ContractVersion.objects.current().get(contract=contract.pk)
