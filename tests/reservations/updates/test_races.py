"""Two at once about one contract, on connections of their own, the first stopped wherever the other could come between.

However they come, what is recorded is as if one had come after the other, in the order of the changes' moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, cast

import pytest
from django.utils import timezone

from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import Contract, ReservationUpdate, UpdateState
from reservations.settlement.export import export
from reservations.updates import lifecycle
from reservations.updates.lifecycle import OutcomeError
from reservations.updates.pass_on_result import record_pass_on_result
from tests.registry.racing import Step, interleave, reported
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    CONTRACT,
    DAY,
    Parties,
    a_contract,
    clerk,
    participant,
    response_xml,
    send,
    some_parties,
    state,
    states,
    update_of,
    update_xml,
)
from tests.support.exchange import receive
from tests.support.peer import CRO, Peer
from uftp.handlers import PassOnResult, Rejection
from uftp.models import InboundMessage
from uftp.protocol import parsing
from uftp.protocol.messages import FlexReservationUpdate, FlexReservationUpdateResponse

Errors = dict[str, str]
Act = Callable[[Errors], object]


@pytest.fixture
def racers(at: At, transactional_db: None) -> Parties:
    """A DSO, and an AGR whose endpoint nobody posts to in these tests."""
    found = some_parties(endpoint="http://127.0.0.1:9/shapeshifter/api/v3/message")
    a_contract(found.dso, found.agr)
    return found


def kept(peer: Peer, content: bytes) -> InboundMessage:
    """A message that has come, and that nobody but the test handles."""
    inbound = receive(peer, content)
    InboundMessage.objects.filter(pk=inbound.pk).update(state="processed")
    return inbound


def says(parties: Parties, name: str, day: date, **values: str) -> Act:
    """The DSO's update is judged."""
    content = update_xml(parties.dso, CRO, (1, 4, 1_000), period=day, **values)
    inbound = kept(parties.dso, content)
    read = cast(FlexReservationUpdate, parsing.parse(content))

    def act(errors: Errors) -> None:
        errors[name] = ""
        try:
            lifecycle.receive(participant(parties.dso), read, inbound, lambda agr: bool(agr.endpoint))
        except Rejection as rejection:
            errors[name] = str(rejection)

    return act


def on_its_way(parties: Parties, day: date) -> ReservationUpdate:
    """An update that waits to be passed on."""
    return update_of(
        send(parties.dso, update_xml(parties.dso, parties.agr.domain, (1, 4, 1_000), period=day))
    )


def answers(parties: Parties, update: ReservationUpdate, result: str) -> Act:
    """The AGR's answer is handled."""
    content = response_xml(parties.agr, CRO, update.message.message_id, result)
    inbound = kept(parties.agr, content)
    read = cast(FlexReservationUpdateResponse, parsing.parse(content))

    def act(errors: Errors) -> None:
        errors["answer"] = ""
        try:
            lifecycle.record_response(participant(parties.agr), read, inbound)
        except Rejection as rejection:
            errors["answer"] = str(rejection)

    return act


def is_delivered(update: ReservationUpdate, *, delivered: bool) -> Act:
    """The outbox has found out what became of passing it on."""
    passed = PassOnResult(
        inbound=update.message,
        recipient_role="AGR",
        recipient_domain=update.agr.domain,
        delivered=delivered,
        expired=False,
        at=update.received_at,
        endpoint="",
        detail="HTTP 200" if delivered else "HTTP 403",
    )
    return lambda errors: errors.update(delivery=str(list(record_pass_on_result(passed))))


def staff_settle(update: ReservationUpdate, name: str, *, accepted: bool, expected: str = "passed on") -> Act:
    def act(errors: Errors) -> None:
        errors[name] = ""
        try:
            lifecycle.record_outcome(update, accepted=accepted, source=clerk(), expected=expected)
        except OutcomeError as error:
            errors[name] = str(error)

    return act


def each_way(acts: Callable[[int], tuple[Act, Act]]) -> Iterator[Errors]:
    """Run two acts at once for each place where the first can be stopped, and then turned about.

    `acts` makes the two of a run anew, by its number.
    """
    number = 0
    for turned in (False, True):
        stop_before, reached = 0, True
        while reached:
            stop_before += 1
            number += 1
            one, two = acts(number)
            if turned:
                one, two = two, one
            data: Errors = {}
            with reported(f"stopped before statement {stop_before}{', turned' if turned else ''}"):
                reached = interleave(cast(Any, data), cast(Step, one), cast(Step, two), stop_before)
                yield data
        assert stop_before > 2, "the first was never stopped"


def one_state_at_a_time(update: ReservationUpdate) -> None:
    """Each state begins with the change that ends the one before; the last is the current one."""
    rows = list(UpdateState.objects.filter(update=update).order_by("recorded_by__moment"))
    for before, after in pairwise(rows):
        assert before.superseded_by_id == after.recorded_by_id
    assert rows[-1].superseded_by is None


def test_F10_two_updates_of_a_contract_at_once(racers: Parties) -> None:
    day = DAY

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal day
        day = DAY + timedelta(days=number)
        return (
            says(racers, "older", day, TimeStamp="2026-03-02T07:00:00Z"),
            says(racers, "newer", day, TimeStamp="2026-03-02T07:00:01Z"),
        )

    seen = set()
    for errors in each_way(acts):
        rows = ReservationUpdate.objects.filter(period=day).order_by("recorded_by__moment")
        stamps = [row.time_stamp for row in rows]
        assert stamps == sorted(stamps), "what was recorded later is not older"
        assert errors["newer"] == ""
        assert len(stamps) == (1 if errors["older"] else 2)
        assert not errors["older"] or errors["older"].startswith("Subordinate sequence number: ")
        seen.add(bool(errors["older"]))
    assert seen == {False, True}


def test_F17_an_update_and_a_change_of_its_contract_at_once(racers: Parties) -> None:
    """It is judged by the version that is in force when it becomes known."""
    contract = Contract.objects.get()
    day = DAY

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal day
        day = DAY + timedelta(days=number)
        terms = contracts.terms_of(contract.versions.current().get())
        most = 999 if number % 2 else 5_000
        changed = replace(terms, profile=Profile((Stretch(1, 40, most),)))

        def change(errors: Errors) -> None:
            contracts.record(
                contract.dso,
                contract.agr,
                CONTRACT,
                changed,
                state=contract.versions.current().get().state,
                source=clerk(),
            )

        return says(racers, "update", day), change

    for errors in each_way(acts):
        found = ReservationUpdate.objects.filter(period=day).first()
        if found is None:
            assert errors["update"] == "Power value rejection: 1-4 more than contracted"
            continue
        known = found.recorded_by.moment
        assert contract.versions.known_at(known).get() == found.version
        (stretch,) = found.version.profiles.get().stretches
        assert stretch[2] >= 1_000


@pytest.mark.parametrize("result", ["Accepted", "Rejected"])
@pytest.mark.parametrize("delivered", [True, False])
def test_F15_the_answer_while_the_delivery_is_recorded(racers: Parties, result: str, delivered: bool) -> None:
    update: ReservationUpdate = cast(Any, None)

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal update
        update = on_its_way(racers, DAY + timedelta(days=number))
        return answers(racers, update, result), is_delivered(update, delivered=delivered)

    for errors in each_way(acts):
        one_state_at_a_time(update)
        came = [name for name, _ in states(update)]
        if came == ["received", "undone"]:
            assert "was undone before" in errors["answer"]
            assert not delivered
        else:
            assert came in (["received", result.lower()], ["received", "passed on", result.lower()])
            assert (errors["answer"], errors["delivery"]) == ("", "[]")
        assert update.message.replies.exists() is (came[-1] == "undone")


@pytest.mark.parametrize("accepted", [True, False])
def test_F15_staff_settle_while_the_answer_comes(racers: Parties, accepted: bool) -> None:
    update: ReservationUpdate = cast(Any, None)

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal update
        update = on_its_way(racers, DAY + timedelta(days=number))
        is_delivered(update, delivered=True)({})
        return staff_settle(update, "clerk", accepted=accepted), answers(racers, update, "Rejected")

    for errors in each_way(acts):
        one_state_at_a_time(update)
        assert len(states(update)) == 3, "one of them settles it"
        assert bool(errors["clerk"]) != bool(errors["answer"])
        if errors["clerk"]:
            assert state(update) == "rejected"
            assert "was rejected meanwhile by FlexReservationUpdateResponse" in errors["clerk"]
        else:
            assert state(update) == ("accepted" if accepted else "rejected")
            assert " before, by clerk on " in errors["answer"]


def test_H1_a_settlement_is_asked_for_while_staff_settle(racers: Parties) -> None:
    """Asked for again with its moment, the file is the same."""
    day = DAY

    def exported(moment: datetime) -> str:
        return b"".join(export(Contract.objects.all(), day, day, known_at=moment)).decode()

    def export_now(errors: Errors) -> None:
        moment = timezone.now()
        errors.update(moment=moment.isoformat(), file=exported(moment))

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal day
        day = DAY + timedelta(days=number)
        update = on_its_way(racers, day)
        is_delivered(update, delivered=True)({})
        return staff_settle(update, "staff", accepted=False), export_now

    seen = set()
    for errors in each_way(acts):
        assert exported(datetime.fromisoformat(errors["moment"])) == errors["file"]
        seen.add("reference-1" in errors["file"])
    assert seen == {False, True}


def test_F15_two_of_staff_at_once(racers: Parties) -> None:
    update: ReservationUpdate = cast(Any, None)

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal update
        update = on_its_way(racers, DAY + timedelta(days=number))
        is_delivered(update, delivered=True)({})
        return staff_settle(update, "kim", accepted=True), staff_settle(update, "lee", accepted=False)

    for errors in each_way(acts):
        one_state_at_a_time(update)
        assert len(states(update)) == 3
        assert state(update) == ("rejected" if errors["kim"] else "accepted")
        assert bool(errors["kim"]) != bool(errors["lee"])


def test_F10_an_older_update_while_the_newer_is_undone(racers: Parties) -> None:
    """It is taken only where it comes after the other was undone."""
    newer: ReservationUpdate = cast(Any, None)

    def acts(number: int) -> tuple[Act, Act]:
        nonlocal newer
        day = DAY + timedelta(days=number)
        newer = on_its_way(racers, day)
        return (
            says(racers, "older", day, TimeStamp="2026-03-01T00:00:00Z"),
            is_delivered(newer, delivered=False),
        )

    for errors in each_way(acts):
        assert state(newer) == "undone"
        older = ReservationUpdate.objects.filter(period=newer.period).exclude(pk=newer.pk).first()
        assert (older is None) == bool(errors["older"])
        if older is not None:
            undone = lifecycle.state_of(newer).recorded_by.moment
            assert undone is not None
            assert older.recorded_by.moment is not None
            assert older.recorded_by.moment > undone
