"""The states of reservation updates: received, passed on, accepted, rejected, undone.

Each verb locks the contract's row until its transaction ends. So the updates of a contract are checked one after
another, in the order in which they become known. A verb may lose a race: callers repeat it with `common.retry.retried`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import transaction

from participants import audit
from participants.models import Participant
from registry.changes import Recorder, Source
from registry.market import policies
from registry.market.market import market
from registry.queries.change_sources import source_in_words
from reservations.contracts.stored_profiles import profiles_of
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.updates import checks as update_checks
from reservations.updates.checks import Situation
from uftp.delivery.forwarding import pass_on_again
from uftp.handlers import Rejection
from uftp.models import InboundMessage
from uftp.protocol.messages import ACCEPTED, FlexReservationUpdate, FlexReservationUpdateResponse

AddressedTo, State = ReservationUpdate.AddressedTo, UpdateState.State

OPEN_STATES = (State.RECEIVED, State.PASSED_ON)
"""States in which an update waits for the AGR's response."""


ANSWER_TIME = timedelta(hours=1)
"""For how long after the deadline an AGR may reject an update that reached it until then."""


class OutcomeError(ValueError):
    """The update cannot get this outcome; the message says why, and what staff can do."""


def state_of(update: ReservationUpdate) -> UpdateState:
    """Return the current state of an update."""
    states = UpdateState.objects.current().select_related("recorded_by__message__sender")
    return states.defer("recorded_by__message__sealed").get(update=update)


@transaction.atomic
def receive(
    dso: Participant,
    update: FlexReservationUpdate,
    message: InboundMessage,
    has_endpoint: Callable[[Participant], bool],
) -> UpdateState:
    """Check a reservation update of a DSO, and record it.

    An update that is passed on to the AGR is `received`. An update that is addressed to the CRO, or whose AGR has no
    endpoint, is `accepted` at once (docs/rules.md F14).

    Args:
        dso: The sender.
        update: The message's values.
        message: The received message.
        has_endpoint: Returns whether an AGR has an endpoint. It is called inside the transaction, so it must not wait
            for DNS.

    Returns:
        The first state, with the update.

    Raises:
        uftp.handlers.Rejection: A check failed; it holds all reasons.
    """
    domain = update.metadata.recipient_domain
    to_cro = domain == settings.CRO_DOMAIN
    contract, unknown = update_checks.find_contract(dso, None if to_cro else domain, update.contract_id)
    passes_on = contract is not None and not to_cro and has_endpoint(contract.agr)
    situation = _situation(dso, update, message, contract, unknown)
    reasons = update_checks.reasons_against(update, situation)
    if contract is not None and not to_cro:
        reasons += update_checks.reasons_against_recipient(contract.agr, message.received_at)
    if reasons:
        raise Rejection(reasons)
    assert contract is not None
    version = situation.version
    assert version is not None
    recorder = Recorder(Source.of_message(message))
    stored = ReservationUpdate.objects.create(
        contract=contract,
        dso=dso,
        agr=contract.agr,
        version=version,
        message=message,
        period=update.period,
        reference=update.reference,
        addressed_to=AddressedTo.CRO if to_cro else AddressedTo.AGR,
        time_stamp=update.metadata.time_stamp,
        received_at=message.received_at,
        deadline=version.deadline.moment(update.period, version.time_zone),
        isps=[[isp.start, isp.duration, isp.power] for isp in update.isps],
        recorded_by_id=recorder.change_id(),
    )
    return _set_state(stored, State.RECEIVED if passes_on else State.ACCEPTED, recorder)


@transaction.atomic
def record_response(
    agr: Participant, response: FlexReservationUpdateResponse, message: InboundMessage
) -> UpdateState:
    """Record the outcome that an AGR gives an update in its response (docs/rules.md F15); return the new state.

    Raises:
        uftp.handlers.Rejection: There is no such update, it has an outcome or is undone already, or the rejection is
            late (docs/rules.md F19). Nothing changes.
    """
    update = _update_answered(agr, response)
    lock_contract(update.contract_id)
    before = state_of(update)
    if before.state in OPEN_STATES and response.result != ACCEPTED and _is_too_late(update, message):
        raise Rejection([f"the rejection of {update} came after its deadline, so staff decide"])
    if before.state not in OPEN_STATES:
        raise Rejection(
            [
                f"{update} was {before.get_state_display().lower()} before, {source_in_words(before.recorded_by)}"
            ]
        )
    state = State.ACCEPTED if response.result == ACCEPTED else State.REJECTED
    return _set_state(update, state, Recorder(Source.of_message(message)))


@transaction.atomic
def record_delivery(update: ReservationUpdate, *, delivered: bool, source: Source) -> UpdateState | None:
    """Record that an update was delivered to its AGR, or that it is undone; return the new state.

    Return None when the update is no longer `received`: an outcome that came before the delivery stays.
    """
    lock_contract(update.contract_id)
    if state_of(update).state != State.RECEIVED:
        return None
    return _set_state(update, State.PASSED_ON if delivered else State.UNDONE, Recorder(source))


@transaction.atomic
def record_outcome(update: ReservationUpdate, *, accepted: bool, source: Source, expected: str) -> int:
    """Record the outcome that both parties confirm to staff (docs/rules.md F15); return the id of the change.

    Args:
        update: The update.
        accepted: Whether it is accepted; otherwise it is rejected.
        source: The member of staff, and the reason.
        expected: The state of the update that staff looked at.

    Raises:
        OutcomeError: The reason is missing, the state is not the expected one, the update waits to be passed on, or
            it has this outcome already.
    """
    if not source.reason.strip():
        raise OutcomeError("An outcome needs a reason.")
    lock_contract(update.contract_id)
    before = state_of(update)
    is_now = before.get_state_display().lower()
    if before.state != expected:
        raise OutcomeError(
            f"{update} was {is_now} meanwhile {source_in_words(before.recorded_by)}: look at it again."
        )
    if before.state == State.RECEIVED:
        raise OutcomeError(f"{update} still waits to be passed on: record its outcome when that has ended.")
    state = State.ACCEPTED if accepted else State.REJECTED
    if before.state == state:
        raise OutcomeError(f"{update} is {is_now} already.")
    recorder = Recorder(source)
    audit.record(
        source.actor,
        "record outcome of reservation update",
        f"{update} under {update.contract}",
        {"state": before.state},
        {"state": state.value, "update": update.pk, "change": recorder.change_id()},
        source.reason,
        about=update,
        participants=(update.dso_id, update.agr_id),
    )
    _set_state(update, state, recorder)
    return recorder.change_id()


@transaction.atomic
def send_again(update: ReservationUpdate, *, source: Source, now: datetime) -> int:
    """Have an undone update passed on to its AGR again (docs/rules.md F21); return the id of the change.

    The delivery is to be woken after the commit.

    Args:
        update: The update.
        source: The member of staff, and the reason.
        now: The present moment, on the CRO's clock.

    Raises:
        OutcomeError: The update is not undone, its deadline is over, its contract has changed since, or a later update
            for the same Period is in its place.
    """
    lock_contract(update.contract_id)
    before = state_of(update)
    if before.state != State.UNDONE:
        raise OutcomeError(
            f"{update} is {before.get_state_display().lower()}: only an undone one is sent again."
        )
    if now >= update.deadline:
        raise OutcomeError(f"The deadline of {update} is over: it is not passed on any more.")
    if _version_in_force(update.contract_id, update.period) != update.version_id:
        raise OutcomeError(f"The contract of {update} has changed since: its DSO has to send it anew.")
    latest = update_checks.latest_time_stamp(update.contract, update.period)
    if latest is not None and latest >= update.time_stamp:
        raise OutcomeError(f"A later update for the same Period is in the place of {update}.")
    if not pass_on_again(
        update.message_id,
        recipient_role=update.agr.role,
        recipient_domain=update.agr.domain,
        until=update.deadline,
        now=now,
    ):
        raise OutcomeError(f"{update} was never passed on: its DSO has to send it anew.")
    recorder = Recorder(source)
    audit.record(
        source.actor,
        "send reservation update again",
        f"{update} under {update.contract}",
        {"state": before.state},
        {"state": State.RECEIVED.value, "update": update.pk, "change": recorder.change_id()},
        source.reason,
        about=update,
        participants=(update.dso_id, update.agr_id),
    )
    _set_state(update, State.RECEIVED, recorder)
    return recorder.change_id()


def _version_in_force(contract_id: int, period: date) -> int | None:
    """Return the id of the version of a contract that is not a draft and covers `period`, or None."""
    versions = ContractVersion.objects.current().filter(contract=contract_id, period__contains=period)
    return versions.exclude(state=ContractVersion.State.DRAFT).values_list("pk", flat=True).first()


def lock_contract(contract_id: int) -> None:
    """Lock a contract until the transaction ends: nobody else changes it, or checks or records its updates."""
    Contract.objects.select_for_update(no_key=True).get(pk=contract_id)


def _situation(
    dso: Participant,
    update: FlexReservationUpdate,
    message: InboundMessage,
    contract: Contract | None,
    unknown: str,
) -> Situation:
    """Lock the contract, and return what the update is checked against."""
    received_at = message.received_at
    if contract is None:
        return Situation(market=market(), received_at=received_at, unknown=unknown)
    lock_contract(contract.pk)
    version = (
        ContractVersion.objects.current()
        .filter(contract=contract, period__contains=update.period)
        .exclude(state=ContractVersion.State.DRAFT)
        .select_related("contract__agr")
        .first()
    )
    if version is None:
        unknown = update_checks.not_in_force(contract, update.period)
        return Situation(market=market(), received_at=received_at, unknown=unknown)
    return Situation(
        market=market(),
        received_at=received_at,
        version=version,
        profile=profiles_of([version])[version.pk],
        active=update_checks.is_active_at_point(contract.agr, dso, update.congestion_point, update.period),
        latest=update_checks.latest_time_stamp(contract, update.period),
    )


def _is_too_late(update: ReservationUpdate, response: InboundMessage) -> bool:
    """Return whether an AGR's rejection comes too late to change an update by itself (docs/rules.md F19)."""
    late = response.received_at > update.deadline + ANSWER_TIME
    return late and policies.in_force(response.received_at)["late rejections"] == policies.STAFF_DECIDE


def _update_answered(agr: Participant, response: FlexReservationUpdateResponse) -> ReservationUpdate:
    """Return the update of this AGR that a response refers to.

    Several DSOs may use the same MessageID. The RecipientDomain of the response then names the DSO. If it is the CRO's
    domain, the ConversationID must match.

    Raises:
        Rejection: The response refers to no update, or to several.
    """
    metadata = response.metadata
    updates = (
        ReservationUpdate.objects.filter(agr=agr, message__message_id=response.reference_message_id.lower())
        .select_related("message", "dso")
        .defer("message__sealed")
    )
    if metadata.recipient_domain != settings.CRO_DOMAIN:
        updates = updates.filter(dso__domain=metadata.recipient_domain)
    found = list(updates)
    if len(found) > 1:
        conversation = metadata.conversation_id.lower()
        found = [each for each in found if each.message.conversation_id.lower() == conversation]
        if len(found) != 1:
            raise Rejection(
                ["several DSOs used that MessageID, and the ConversationID does not tell which is meant"]
            )
    if not found:
        raise Rejection(["refers to no reservation update that this AGR was sent"])
    return found[0]


def _set_state(update: ReservationUpdate, state: str, recorder: Recorder) -> UpdateState:
    """Set the state of the update, and stamp the change of `recorder`."""
    change = recorder.change_id()
    UpdateState.objects.current().filter(update=update).update(superseded_by=change)
    current = UpdateState.objects.create(update=update, state=state, recorded_by_id=change)
    recorder.stamp([update.dso_id, update.agr_id])
    return current
