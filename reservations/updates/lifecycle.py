"""Reservation updates as facts: received, passed on, accepted, rejected or undone, each with the change that says so.

Whoever writes holds the contract's row to the end of the transaction, so that one after another is judged, in the
same order as they become known. Each verb may lose a race: callers wrap it in `common.retry.retried`.
"""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.db import transaction

from participants import audit
from participants.models import Participant
from registry.changes import Recorder, Source
from registry.market.market import market
from registry.queries.change_sources import told
from reservations.contracts.stored_profiles import profiles_of
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.updates import checks as update_checks
from reservations.updates.checks import Situation
from uftp.handlers import Rejection
from uftp.models import InboundMessage
from uftp.protocol.messages import ACCEPTED, FlexReservationUpdate, FlexReservationUpdateResponse

AddressedTo, State = ReservationUpdate.AddressedTo, UpdateState.State

OPEN = (State.RECEIVED, State.PASSED_ON)
"""An update in one of these waits for the AGR's word."""


class SettlementError(ValueError):
    """The update cannot be settled like that; the message says why and what can be done."""


def state_of(update: ReservationUpdate) -> UpdateState:
    """The current state of an update."""
    states = UpdateState.objects.current().select_related("recorded_by__message__sender")
    return states.defer("recorded_by__message__sealed").get(update=update)


@transaction.atomic
def receive(
    dso: Participant,
    said: FlexReservationUpdate,
    message: InboundMessage,
    has_endpoint: Callable[[Participant], bool],
) -> UpdateState:
    """Check what a DSO says, and record it; gives its first state, with the update.

    It is `received` where it is to be passed on to the AGR. Otherwise it is `accepted` at once (docs/rules.md F14):
    addressed to the CRO, or the AGR has no endpoint, as `has_endpoint` tells. That must not wait for DNS: it is called
    inside the transaction. Raises uftp.handlers.Rejection with every reason.
    """
    domain = said.metadata.recipient_domain
    to_cro = domain == settings.CRO_DOMAIN
    contract, unknown = update_checks.contract_meant(dso, None if to_cro else domain, said.contract_id)
    passes_on = contract is not None and not to_cro and has_endpoint(contract.agr)
    situation = _situation(dso, said, message, contract, unknown)
    reasons = update_checks.reasons_against(said, situation)
    if reasons:
        raise Rejection(reasons)
    assert contract is not None
    version = situation.version
    assert version is not None
    recorder = Recorder(Source.of_message(message))
    update = ReservationUpdate.objects.create(
        contract=contract,
        dso=dso,
        agr=contract.agr,
        version=version,
        message=message,
        period=said.period,
        reference=said.reference,
        addressed_to=AddressedTo.CRO if to_cro else AddressedTo.AGR,
        time_stamp=said.metadata.time_stamp,
        received_at=message.received_at,
        deadline=version.deadline.moment(said.period, version.time_zone),
        isps=[[isp.start, isp.duration, isp.power] for isp in said.isps],
        recorded_by_id=recorder.change_id(),
    )
    return _move(update, State.RECEIVED if passes_on else State.ACCEPTED, recorder)


@transaction.atomic
def settle_by_response(
    agr: Participant, response: FlexReservationUpdateResponse, message: InboundMessage
) -> UpdateState:
    """Settle the update that an AGR answers, as its answer says (docs/rules.md F15); gives the state it is in since.

    Raises uftp.handlers.Rejection where there is no such update or it is settled or undone already: nothing changes.
    """
    update = _answered(agr, response)
    hold(update.contract_id)
    before = state_of(update)
    if before.state not in OPEN:
        raise Rejection(
            [f"{update} was {before.get_state_display().lower()} before, {told(before.recorded_by)}"]
        )
    state = State.ACCEPTED if response.result == ACCEPTED else State.REJECTED
    return _move(update, state, Recorder(Source.of_message(message)))


@transaction.atomic
def settle_by_delivery(update: ReservationUpdate, *, delivered: bool, source: Source) -> UpdateState | None:
    """Record what became of passing an update on; gives the state it is in since, None where it stays as it is.

    One that the AGR has answered before stays what that answer made it: the delivery is kept by its message.
    """
    hold(update.contract_id)
    if state_of(update).state != State.RECEIVED:
        return None
    return _move(update, State.PASSED_ON if delivered else State.UNDONE, Recorder(source))


@transaction.atomic
def settle(update: ReservationUpdate, *, accepted: bool, source: Source, expected: str) -> int:
    """Staff accept or reject an update on the parties' word (docs/rules.md F15); gives the change's id.

    `expected` is the state that they looked at. Raises SettlementError where it is in another by now, waits to be
    passed on, is so already, or no reason is given.
    """
    if not source.reason.strip():
        raise SettlementError("A settlement needs a reason.")
    hold(update.contract_id)
    before = state_of(update)
    is_now = before.get_state_display().lower()
    if before.state != expected:
        raise SettlementError(
            f"{update} was {is_now} meanwhile {told(before.recorded_by)}: look at it again."
        )
    if before.state == State.RECEIVED:
        raise SettlementError(f"{update} still waits to be passed on: settle it when that has ended.")
    state = State.ACCEPTED if accepted else State.REJECTED
    if before.state == state:
        raise SettlementError(f"{update} is {is_now} already.")
    recorder = Recorder(source)
    audit.record(
        source.actor,
        "settle reservation update",
        f"{update} under {update.contract}",
        {"state": before.state},
        {"state": state.value, "update": update.pk, "change": recorder.change_id()},
        source.reason,
        about=update,
        participants=(update.dso_id, update.agr_id),
    )
    _move(update, state, recorder)
    return recorder.change_id()


def hold(contract_id: int) -> None:
    """Keep others from changing a contract, and from judging or settling its updates, until the transaction's end."""
    Contract.objects.select_for_update(no_key=True).get(pk=contract_id)


def _situation(
    dso: Participant,
    said: FlexReservationUpdate,
    message: InboundMessage,
    contract: Contract | None,
    unknown: str,
) -> Situation:
    """What the update is checked against, the contract's row held from here on."""
    received_at = message.received_at
    if contract is None:
        return Situation(market=market(), received_at=received_at, unknown=unknown)
    hold(contract.pk)
    version = (
        ContractVersion.objects.current()
        .filter(contract=contract, period__contains=said.period)
        .exclude(state=ContractVersion.State.DRAFT)
        .select_related("contract__agr")
        .first()
    )
    if version is None:
        unknown = update_checks.not_in_force(contract, said.period)
        return Situation(market=market(), received_at=received_at, unknown=unknown)
    return Situation(
        market=market(),
        received_at=received_at,
        version=version,
        profile=profiles_of([version])[version.pk],
        active=update_checks.is_active_behind(contract.agr, dso, said.congestion_point, said.period),
        latest=update_checks.latest_in_place(contract, said.period),
    )


def _answered(agr: Participant, response: FlexReservationUpdateResponse) -> ReservationUpdate:
    """The update of this AGR's that a response refers to.

    DSOs may use the same MessageID: the response's RecipientDomain tells whose is meant, unless it is the CRO's, and
    then its ConversationID does. Raises Rejection where it refers to none, or to several.
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


def _move(update: ReservationUpdate, state: str, recorder: Recorder) -> UpdateState:
    """Put the update into `state`, by the change that `recorder` records and stamps."""
    change = recorder.change_id()
    UpdateState.objects.current().filter(update=update).update(superseded_by=change)
    moved = UpdateState.objects.create(update=update, state=state, recorded_by_id=change)
    recorder.stamp([update.dso_id, update.agr_id])
    return moved
