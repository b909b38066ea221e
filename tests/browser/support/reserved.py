"""The market's reservations: contracts in every state, and a month of updates that became all sorts of things.

Everything is said by messages, and decided by the verbs of staff, with the clock at the moment of each.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from participants.models import Participant
from registry.changes import Source
from registry.models import Change
from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import Terms
from reservations.deadlines import Deadline
from reservations.models import Contract, ContractVersion, ReservationUpdate
from reservations.updates import lifecycle
from tests.browser.support.dsl import Market, decided, point, say, standing
from tests.support.peer import CRO
from tests.support.receiver import Posted, Reply
from uftp.delivery import deliver

State = ContractVersion.State
Isps = tuple[int, int, int]
"""Start, Duration and Power (W)."""

NOON_BEFORE = Deadline(days=1, at=time(14))
FOUR_HOURS = Deadline(hours=4)

WORKING_HOURS = (Stretch(29, 68, 400_000), Stretch(69, 88, 600_000))
WEEKENDS = (Stretch(33, 72, 200_000),)
HARBOUR = Profile(
    weekdays={**dict.fromkeys(range(1, 6), WORKING_HOURS), 6: WEEKENDS, 7: WEEKENDS},
    days={date(2026, 6, 18): (Stretch(1, 96, 100_000),), date(2026, 12, 25): ()},
)
NIGHTS = Profile((Stretch(1, 24, -150_000), Stretch(93, 96, -150_000)))
ALL_DAY = Profile((Stretch(1, 96, 80_000),))
AFTERNOONS = Profile((Stretch(49, 72, 250_000),))

CONTRACTS = (
    (
        "HARBOUR-2026",
        "flexwerk.example",
        "harbour",
        "2026-01-01",
        "2026-12-31",
        NOON_BEFORE,
        HARBOUR,
        State.IN_FORCE,
    ),
    ("MILL-7", "flexwerk.example", "mill", "2026-01-01", "", FOUR_HOURS, NIGHTS, State.IN_FORCE),
    (
        "STATION-A",
        "zonkracht.example",
        "station",
        "2026-08-01",
        "2027-07-31",
        NOON_BEFORE,
        ALL_DAY,
        State.DRAFT,
    ),
    (
        "NORTH-3",
        "buurtstroom.example",
        "north",
        "2026-04-01",
        "2026-12-31",
        NOON_BEFORE,
        AFTERNOONS,
        State.IN_FORCE,
    ),
    (
        "BEACH-1",
        "flexwerk.example",
        "beach",
        "2026-03-01",
        "2026-10-31",
        NOON_BEFORE,
        AFTERNOONS,
        State.IN_FORCE,
    ),
    (
        "DUNES-2025",
        "zonkracht.example",
        "dunes",
        "2026-01-10",
        "2026-05-31",
        NOON_BEFORE,
        ALL_DAY,
        State.ENDED,
    ),
    ("DUNES-2026", "zonkracht.example", "dunes", "2026-09-01", "", NOON_BEFORE, ALL_DAY, State.IN_FORCE),
)
"""ContractID, AGR, congestion point, first and last day, deadline, profile and state; the DSO is the point's."""

MORNING, MIDDAY, EVENING = (29, 16), (45, 24), (69, 20)
"""Start and Duration."""

JUNE: tuple[tuple[str, int, int, str, str, tuple[Isps, ...]], ...] = (
    ("", 1, 2, "HARBOUR-2026", "flexwerk.example", ((29, 60, 0),)),
    ("", 2, 3, "HARBOUR-2026", "flexwerk.example", ((*MORNING, 0),)),
    ("", 2, 3, "MILL-7", "cro.example", ((1, 12, -50_000), (13, 4, 0))),
    ("", 4, 5, "HARBOUR-2026", "flexwerk.example", ((*MORNING, 400_000), (*MIDDAY, 200_000), (*EVENING, 0))),
    ("accepted", 8, 9, "HARBOUR-2026", "flexwerk.example", ((*EVENING, 300_000),)),
    ("rejected", 10, 11, "HARBOUR-2026", "flexwerk.example", ((29, 60, 0),)),
    ("", 12, 13, "MILL-7", "cro.example", ((1, 24, 0),)),
    ("first", 15, 16, "HARBOUR-2026", "flexwerk.example", ((29, 60, 100_000),)),
    ("second", 15, 16, "HARBOUR-2026", "flexwerk.example", ((*MIDDAY, 0),)),
    ("third", 15, 16, "HARBOUR-2026", "flexwerk.example", ((61, 8, 400_000), (*EVENING, 600_000))),
    ("exception", 17, 18, "HARBOUR-2026", "flexwerk.example", ((1, 28, 0), (89, 8, 0))),
    ("", 18, 19, "BEACH-1", "flexwerk.example", ((49, 8, 0), (57, 8, 125_000))),
    ("settled", 22, 23, "HARBOUR-2026", "flexwerk.example", ((*MORNING, 0),)),
    ("too much", 24, 25, "HARBOUR-2026", "flexwerk.example", ((*MIDDAY, 450_000),)),
    ("", 25, 26, "NORTH-3", "buurtstroom.example", ((49, 12, 0),)),
    ("", 27, 28, "HARBOUR-2026", "flexwerk.example", ((33, 40, 50_000),)),
    ("", 29, 30, "MILL-7", "cro.example", ((1, 24, -150_000), (93, 4, 0))),
)
"""Name, day of June on which it is sent, the Period's day of June, ContractID, RecipientDomain and ISPs."""


def agree(made: Market) -> None:
    """The contracts, from a file in January; one of them with more power since the middle of June, by staff."""
    at = datetime(2026, 1, 8, 13, tzinfo=UTC)
    for contract_id, agr, its_point, first, last, deadline, profile, state in CONTRACTS:
        terms = Terms(
            congestion_point=point(its_point),
            first=date.fromisoformat(first),
            last=date.fromisoformat(last) if last else None,
            isp_minutes=15,
            deadline=deadline,
            profile=profile,
        )
        source = Source.of_import("contracts-2026.csv", "lee")
        made.contracts[contract_id] = _recorded(made, at, contract_id, agr, its_point, terms, state, source)


def _recorded(
    made: Market,
    at: datetime,
    contract_id: str,
    agr: str,
    its_point: str,
    terms: Terms,
    state: ContractVersion.State,
    source: Source,
) -> Contract:
    dso = made.participants["kustnet.example" if its_point in ("beach", "dunes") else "stroomnet.example"]
    with standing(at):
        version = contracts.record(
            dso, made.participants[agr], contract_id, terms, state=state, source=source
        )
    assert version is not None
    Change.objects.filter(pk=version.recorded_by_id).update(moment=at)
    return version.contract


def update_in_june(made: Market) -> None:
    """A month of updates; staff give BEACH-1 more power in its middle, and settle one that was undone."""
    before: dict[str, int] = {}
    for name, day, period, contract_id, to, isps in JUNE:
        minute = before[contract_id] = before.get(contract_id, 0) + 7
        at = datetime(2026, 6, day, 7, minute % 60, 12, tzinfo=UTC)
        found = update(made, at, contract_id, date(2026, 6, period), to, *isps)
        if found and name:
            made.updates[name] = found
        if name in ("accepted", "rejected"):
            _answer(made, found, at.replace(hour=8), name.capitalize())
        if name == "exception":
            _more_power(made, datetime(2026, 6, 17, 12, 30, tzinfo=UTC))
    at = datetime(2026, 6, 22, 13, 5, tzinfo=UTC)
    reason = "Flexwerk and Stroomnet both confirmed it by telephone while Flexwerk’s system was down."
    change = lifecycle.record_outcome(
        made.updates["settled"], accepted=True, source=Source.of_staff("lee", reason), expected="undone"
    )
    Change.objects.filter(pk=change).update(moment=at)
    decided(at)


def update_today(made: Market) -> None:
    """Of this morning: one that is passed on, one that is undone, and one on its way to a system under maintenance."""
    for name, at, contract_id, day, to, isps in (
        ("passed on", "11:12:40", "HARBOUR-2026", 3, "flexwerk.example", ((*MORNING, 0), (*MIDDAY, 300_000))),
        ("undone", "11:15:02", "BEACH-1", 2, "flexwerk.example", ((49, 24, 0),)),
        ("received", "11:20:31", "NORTH-3", 3, "buurtstroom.example", ((61, 12, 0),)),
    ):
        moment = datetime.fromisoformat(f"2026-07-01T{at}+00:00")
        found = update(made, moment, contract_id, date(2026, 7, day), to, *isps)
        assert found
        made.updates[name] = found


def update(
    made: Market, at: datetime, contract_id: str, period: date, to: str, *isps: Isps
) -> ReservationUpdate | None:
    """Have the DSO of a contract say what it leaves reserved, and what is passed on delivered; None: rejected."""
    contract = made.contracts[contract_id]
    dso = next(each for each in made.participants.values() if each.pk == contract.dso_id)
    inside = "".join(
        f'<ISP Power="{power}" Start="{start}" Duration="{duration}"/>' for start, duration, power in isps
    )
    version = ContractVersion.objects.current().get(contract=contract)
    attributes = {
        "RecipientDomain": to,
        "ISP-Duration": "PT15M",
        "TimeZone": "Europe/Amsterdam",
        "Period": str(period),
        "CongestionPoint": version.congestion_point,
        "ContractID": contract_id,
        "Reference": f"{contract_id}/{period:%m%d}/{ReservationUpdate.objects.count() + 1}",
    }
    message = say(made, dso.domain, at, "FlexReservationUpdate", inside, **attributes)
    for role, domain in (("AGR", to), (dso.role, dso.domain)) if to != CRO else ():
        with standing(at):
            deliver.deliver_due(role, domain, wake=lambda role, domain: None)
    return ReservationUpdate.objects.filter(message=message).first()


def replied(posted: Posted) -> Reply | None:
    """How Flexwerk's system refuses two of the updates for good; None: as ever."""
    about = posted.attributes.get("ContractID", ""), posted.attributes.get("Period", "")
    if about == ("BEACH-1", "2026-07-02"):
        return 400, {}, b"FlexReservationUpdate is not supported"
    return (410, {}, b"Moved to another address") if about == ("HARBOUR-2026", "2026-06-23") else None


def _answer(made: Market, found: ReservationUpdate | None, at: datetime, result: str) -> None:
    """The AGR sends this CRO a copy of its answer to the DSO."""
    assert found
    say(
        made,
        "flexwerk.example",
        at,
        "FlexReservationUpdateResponse",
        RecipientDomain="stroomnet.example",
        ConversationID=found.message.conversation_id,
        FlexReservationUpdateMessageID=found.message.message_id,
        Result=result,
        **({"RejectionReason": "The harbour’s battery is already sold"} if result == "Rejected" else {}),
    )


def _more_power(made: Market, at: datetime) -> None:
    contract = made.contracts["BEACH-1"]
    with standing(at):
        version = ContractVersion.objects.current().get(contract=contract)
        terms = contracts.terms_of(version)
        changed = Terms(
            congestion_point=terms.congestion_point,
            first=terms.first,
            last=terms.last,
            isp_minutes=terms.isp_minutes,
            deadline=terms.deadline,
            profile=Profile((Stretch(49, 72, 300_000),)),
        )
        source = Source.of_staff("lee", "Annex 2 of 16 June: 50 kW more.")
        dso, agr = (Participant.objects.get(pk=pk) for pk in (contract.dso_id, contract.agr_id))
        recorded = contracts.record(
            dso, agr, contract.contract_id, changed, state=State.IN_FORCE, source=source
        )
    assert recorded
    Change.objects.filter(pk=recorded.recorded_by_id).update(moment=at)
    decided(at)
