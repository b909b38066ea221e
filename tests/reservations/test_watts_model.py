"""Random contracts and updates beside the model of watts by ISP: the settlement export says the same at each step.

`WATTS_MODEL_EXAMPLES` sets how many histories are drawn; unset, they are few and always the same.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import StringIO
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from common import clock
from registry.market.market import set_market
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import Contract, ReservationUpdate
from reservations.settlement.export import export, latest_moment
from reservations.updates import lifecycle, pass_on_result
from tests.reservations.conftest import At
from tests.reservations.dsl import (
    NOW,
    Parties,
    a_contract,
    another_agr,
    clerk,
    response_xml,
    send,
    some_parties,
    state,
    update_of,
    update_xml,
)
from tests.reservations.watts_model import Agreed, Isps, Update, Watts, WattsModel
from tests.support.peer import Peer
from uftp.handlers import PassOnResult

EXAMPLES = int(os.environ.get("WATTS_MODEL_EXAMPLES", "0"))
STEPS = 8
DAYS = [date(2026, 3, 28), date(2026, 3, 29), date(2026, 10, 25)]
"""A usual Saturday, and the two Sundays on which the clock changes."""

AGREEMENTS = [
    Agreed(dict.fromkeys(range(1, 7), 500) | dict.fromkeys(range(7, 11), -300)),
    Agreed(dict.fromkeys(range(1, 25), 800), sundays={2: -200, 3: 400, 4: 400}),
    Agreed({}, days={DAYS[1]: {23: 500, 22: -1}, DAYS[2]: {25: 500, 3: 100}}),
    Agreed({3: 200, 24: -500}, sundays={}),
]


@dataclass(frozen=True)
class Says:
    contract: int
    day: int
    stamp: int
    isps: Isps


@dataclass(frozen=True)
class Delivered:
    which: int
    delivered: bool


@dataclass(frozen=True)
class Answers:
    which: int
    accepted: bool


@dataclass(frozen=True)
class Settles:
    which: int
    accepted: bool


@dataclass(frozen=True)
class Agrees:
    contract: int
    agreement: int


Step = Says | Delivered | Answers | Settles | Agrees


class Registry:
    """The two contracts at work: of one DSO, one with an AGR that updates are passed on to, one with an AGR without
    an endpoint. Each history has contracts of its own."""

    def __init__(self, parties: Parties, other: Peer) -> None:
        self.dso, self.agrs = parties.dso, [parties.agr, other]
        self._numbers = count(1)
        self.contract_id = ""

    def begin(self, agreed: list[Agreed]) -> None:
        self.contract_id = f"flex-{next(self._numbers)}"
        for contract, agreement in enumerate(agreed):
            self.agree(contract, agreement)

    def agree(self, contract: int, agreed: Agreed) -> None:
        sundays = {7: stretches(agreed.sundays)} if agreed.sundays is not None else {}
        a_contract(
            self.dso,
            self.agrs[contract],
            self.contract_id,
            point=POINTS[contract],
            isp_minutes=60,
            profile=Profile(
                stretches(agreed.every_day),
                sundays,
                {day: stretches(watts) for day, watts in agreed.days.items()},
            ),
        )

    def say(self, said: Says) -> ReservationUpdate | None:
        content = update_xml(
            self.dso,
            self.agrs[said.contract].domain,
            *said.isps,
            period=DAYS[said.day],
            contract_id=self.contract_id,
            CongestionPoint=POINTS[said.contract],
            ISP_Duration="PT1H",
            TimeStamp=(NOW + timedelta(minutes=said.stamp)).isoformat(),
        )
        inbound = send(self.dso, content)
        return update_of(inbound) if inbound.result == "Accepted" else None

    def deliver(self, update: ReservationUpdate, *, delivered: bool) -> None:
        pass_on_result.record_pass_on_result(
            PassOnResult(
                inbound=update.message,
                recipient_role="AGR",
                recipient_domain=update.agr.domain,
                delivered=delivered,
                expired=not delivered,
                at=clock.now(),
                endpoint="",
                detail="as the step says",
            )
        )

    def answer(self, update: ReservationUpdate, *, accepted: bool) -> None:
        agr = next(agr for agr in self.agrs if agr.domain == update.agr.domain)
        result = "Accepted" if accepted else "Rejected"
        send(agr, response_xml(agr, self.dso.domain, update.message.message_id, result))

    def settlement(self, contract: int, known_at: datetime | None = None) -> bytes:
        of = Contract.objects.filter(contract_id=self.contract_id, agr__domain=self.agrs[contract].domain)
        spans = [(DAYS[0], DAYS[1]), (DAYS[2], DAYS[2])]
        return b"".join(b"".join(export(of, *span, known_at=known_at)) for span in spans)


POINTS = ["ean.871000000000000013", "ean.871000000000000020"]


def stretches(watts: Watts) -> tuple[Stretch, ...]:
    return tuple(Stretch(isp, isp, power) for isp, power in sorted(watts.items()))


@pytest.fixture
def registry(at: At, transactional_db: None) -> Registry:
    set_market(isp_duration="PT1H", actor="test")
    parties = some_parties(endpoint="http://127.0.0.1:9/shapeshifter/api/v3/message")
    return Registry(parties, another_agr(parties.dso, point=POINTS[1], home="ean.871600000000000024"))


isp_lists: st.SearchStrategy[Isps] = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 4, 6, 7, 10, 22, 23, 24, 25]),
        st.sampled_from([1, 1, 1, 2, 3]),
        st.sampled_from([0, 0, 100, 200, 500, -1, -200, -300, 801]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)

which = st.integers(-4, -1)
"""One of the latest updates."""

anything = st.one_of(
    st.builds(Says, st.integers(0, 1), st.integers(0, 2), st.integers(-2, 3), isp_lists),
    st.builds(Delivered, which, st.sampled_from([True, True, False])),
    st.builds(Answers, which, st.booleans()),
    st.builds(Settles, which, st.booleans()),
    st.builds(Agrees, st.integers(0, 1), st.sampled_from(range(len(AGREEMENTS)))),
)


def about_one_day(contract: int) -> st.SearchStrategy[Step]:
    """About the day of spring, of which two ISPs are said again and again."""
    said = st.builds(
        lambda stamp, isp, power: Says(contract, 1, stamp, ((isp, 1, power),)),
        *(st.integers(0, 3), st.sampled_from([2, 3]), st.sampled_from([500, 400, 100, 0, -100, -200])),
    )
    agreed = st.builds(Agrees, st.just(contract), st.sampled_from([0, 1]))
    return st.one_of(said, said, said, agreed, st.builds(Settles, st.sampled_from([-1, -2]), st.booleans()))


steps = st.one_of(
    *(
        st.lists(st.one_of(each), min_size=STEPS, max_size=STEPS)
        for each in ((about_one_day(1),), (about_one_day(0), anything), (about_one_day(1), anything))
    )
)

OVERTAKEN = [
    Says(1, 1, 3, ((3, 1, 100),)),
    Settles(-1, False),
    Says(1, 1, 0, ((3, 1, 200),)),
    Settles(-2, True),
]
"""An update that staff accept after all counts after a younger one with an earlier TimeStamp."""

AWAITED = [
    Says(0, 1, 0, ((3, 1, 100),)),
    Delivered(-1, True),
    Says(0, 1, 1, ((3, 1, 0),)),
    Delivered(-1, False),
    Answers(-2, False),
]
"""An update counts from its delivery on, one that is not delivered never; the AGR's word ends it."""

LESS_AGREED = [
    Says(1, 1, 0, ((3, 1, 500),)),
    Agrees(1, 1),
    Settles(-1, False),
    Settles(-1, True),
    Says(1, 1, 1, ((2, 1, -100),)),
]
"""The day keeps the version of its update, until another update comes; then no more remains than is contracted."""


@settings(
    max_examples=EXAMPLES or 20,
    derandomize=not EXAMPLES,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@example(begin=(AGREEMENTS[0], AGREEMENTS[0]), steps=OVERTAKEN)
@example(begin=(AGREEMENTS[0], AGREEMENTS[0]), steps=LESS_AGREED)
@example(begin=(AGREEMENTS[0], AGREEMENTS[0]), steps=AWAITED)
@given(begin=st.tuples(st.sampled_from(AGREEMENTS), st.sampled_from(AGREEMENTS)), steps=steps)
def test_the_settlement_agrees_with_the_watts_model(
    registry: Registry, begin: tuple[Agreed, Agreed], steps: list[Step]
) -> None:
    model = WattsModel(list(begin), passes_on=[True, False])
    registry.begin(model.agreed)
    taken: list[tuple[Update, ReservationUpdate]] = []
    remembered = []
    for step in steps:
        note(str(step))
        take(step, model, registry, taken)
        for update, row in taken:
            assert state(row) == update.state, update
        for contract in (0, 1):
            said = registry.settlement(contract)
            assert settled(said) == {
                (str(day), isp): watts for day in DAYS for isp, watts in model.figures(contract, day).items()
            }
            remembered.append((contract, latest_moment(), said))
    for contract, moment, said in remembered:
        assert registry.settlement(contract, moment) == said, f"what was settled at {moment} has changed"


def take(
    step: Step, model: WattsModel, registry: Registry, taken: list[tuple[Update, ReservationUpdate]]
) -> int:
    """Take the step in both; gives the contract that it is about."""
    if isinstance(step, Says):
        update = model.say(step.contract, DAYS[step.day], step.stamp, step.isps)
        row = registry.say(step)
        assert (update is None) == (row is None), step
        if update and row:
            taken.append((update, row))
        return step.contract
    if isinstance(step, Agrees):
        model.agreed[step.contract] = AGREEMENTS[step.agreement]
        registry.agree(step.contract, AGREEMENTS[step.agreement])
        return step.contract
    if len(taken) < -step.which:
        return 0
    update, row = taken[step.which]
    said = "accepted" if not isinstance(step, Delivered) and step.accepted else "rejected"
    if isinstance(step, Delivered):
        registry.deliver(row, delivered=step.delivered)
        if update.state == "received":
            update.state = "passed on" if step.delivered else "undone"
    elif isinstance(step, Answers):
        registry.answer(row, accepted=step.accepted)
        if update.state in ("received", "passed on"):
            update.state = said
    elif update.state not in ("received", said):
        lifecycle.record_outcome(row, accepted=step.accepted, source=clerk(), expected=update.state)
        update.state = said
    return update.contract


def settled(content: bytes) -> dict[tuple[str, int], tuple[int, int]]:
    """Contracted and remaining watts by Period and ISP, as the files say."""
    found: dict[tuple[str, int], tuple[int, int]] = {}
    for row in csv.DictReader(StringIO(content.decode())):
        if row["period"] == "period":
            continue
        key = row["period"], int(row["isp"])
        contracted, remaining = int(row["contracted_w"]), int(row["remaining_w"])
        assert key not in found, f"twice: {key}"
        assert int(row["released_w"]) == contracted - remaining
        assert [float(row[f"{name}_wh"]) for name in ("contracted", "remaining")] == [contracted, remaining]
        found[key] = contracted, remaining
    return found
