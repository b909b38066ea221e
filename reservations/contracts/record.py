"""The verbs on contracts: record what two parties agreed, put it in force, end it (docs/rules.md F17).

Like those of `registry.decisions.settle`, each is one transaction that may lose a race: `common.retry.retried` does
it again. A whole file of contracts is `reservations.imports.load`, over the same `compare` and `write`.
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
from reservations.contracts.versions import State, Wanted, compare, write
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
    """Record that the contract says `terms`, as its first or next version; None where nothing differs.

    A draft becomes in force or ended, one in force ended; staff who made a mistake put an ended one in force again.
    None becomes a draft again once an update is about it. A contract that is ended has a last day. `expected`: the
    number of the version that staff looked at, 0 for a contract that is to be new; without it, whatever is recorded
    gives way. Raises ContractError with everything that is wrong: `dso` or `agr` in another role, terms that a contract
    cannot have, a state that it cannot get, another version than expected, and no reason where staff record anything
    but a draft, or change what is, or was, in force.
    """
    wanted = Wanted(dso=dso, agr=agr, contract_id=contract_id, terms=terms, state=state, expected=expected)
    return _record(wanted, source)


@transaction.atomic
def put_in_force(
    contract: Contract, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """Put a draft in force as it stands, or an ended contract again, up to the last day that it was given.

    None where it is in force. `expected` and errors as for `record`.
    """
    return _with_state(contract, State.IN_FORCE, source, expected)


@transaction.atomic
def back_to_draft(
    contract: Contract, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """Take back that a contract is in force, as long as no update is about it.

    None where it is a draft. `expected` and errors as for `record`.
    """
    return _with_state(contract, State.DRAFT, source, expected)


@transaction.atomic
def end(
    contract: Contract, last: date, *, source: Source, expected: int | None = None
) -> ContractVersion | None:
    """End a contract with the day `last`, inclusive: it was in force up to then, and these days keep counting.

    `last` may lie in the past: days after it are no longer the contract's and no longer settled, even where updates
    about them were accepted; these are kept, and count again if the contract gets its days back. Single days of the
    profile after `last` are left out. The terms are otherwise those of the current version, ISPs and time zone too,
    whatever the market's are by then.

    `expected` and errors as for `record`; and ContractError where the contract is a draft, ends earlier already, or
    begins after `last`: one that never was in force is made a draft again with `back_to_draft`.
    """
    current = _held(contract)
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
        _again(contract, replace(found, last=last, profile=profile), State.ENDED, expected), source
    )


def _record(wanted: Wanted, source: Source) -> ContractVersion | None:
    (comparison,) = compare([wanted], source, hold=True)
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
            {name: was for name, (was, _) in differences.items()} if comparison.current else None,
            {
                **{name: becomes for name, (_, becomes) in differences.items()},
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
    return _record(_again(contract, terms_of(_held(contract)), state, expected), source)


def _again(contract: Contract, terms: Terms, state: ContractVersion.State, expected: int | None) -> Wanted:
    return Wanted(
        dso=contract.dso,
        agr=contract.agr,
        contract_id=contract.contract_id,
        terms=terms,
        state=state,
        expected=expected,
    )


def _held(contract: Contract) -> ContractVersion:
    """The contract's current version, after its row is locked."""
    Contract.objects.select_for_update(no_key=True).get(pk=contract.pk)
    return ContractVersion.objects.current().get(contract=contract.pk)
