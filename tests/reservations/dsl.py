"""A few words in which the tests of reservations set up a market, say updates and read what came of them.

Everything goes through the exchange's own doors: portfolios, updates and answers are real messages, contracts are
recorded by their verb. The clock stands where a test puts it (fixture `at`), from NOW on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from xml.etree import ElementTree

from django.utils import timezone

from common import clock
from participants.models import Participant, PublicKey
from registry.changes import Source
from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import Terms
from reservations.deadlines import Deadline
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from reservations.updates import lifecycle
from tests.support.exchange import drain, exchange, receive
from tests.support.peer import Peer
from uftp.delivery import deliver as delivery
from uftp.models import InboundMessage, OutboundMessage

ZONE = "Europe/Amsterdam"
NOW = datetime.fromisoformat("2026-03-02T09:00:00+01:00")
DAY = date(2026, 3, 4)
"""A usual day, for which DEADLINE is NOON on the day before."""

NOON = datetime.fromisoformat("2026-03-03T12:00:00+01:00")
DEADLINE = Deadline(days=1, at=time(12))
POINT, OTHER_POINT = "ean.871000000000000013", "ean.871000000000000020"
HOME = "ean.871600000000000017"
CONTRACT = "flex-1"

PROFILE = Profile((Stretch(1, 40, 5_000), Stretch(41, 60, -3_000)))
"""5 kW in one direction up to ISP 40, 3 kW in the other up to 60, and nothing in the rest of the day."""

Said = tuple[int, int, int]
"""Start, Duration and Power of an ISP element."""


@dataclass(frozen=True)
class Parties:
    """A DSO, and an AGR with an effective connection, HOME, behind its congestion point POINT."""

    dso: Peer
    agr: Peer


def participant(peer: Peer) -> Participant:
    return Participant.objects.get(role=peer.role, domain=peer.domain)


def join(role: str, domain: str = "", *, endpoint: str = "", standing: str = "authorized") -> Peer:
    """A registered participant, whose key is valid wherever the clock stands."""
    peer = Peer(role, domain) if domain else Peer(role)
    peer.register(endpoint, standing)
    PublicKey.objects.filter(participant__domain=domain or peer.domain).update(valid_from=None)
    return peer


def some_parties(*, endpoint: str = "", dso: str = "", agr: str = "") -> Parties:
    """A DSO and an AGR, with the connection behind the congestion point; `endpoint` is the AGR's."""
    parties = Parties(join("DSO", dso), join("AGR", agr, endpoint=endpoint))
    publish_point(parties.dso, POINT, HOME)
    publish_connections(parties.agr, HOME)
    return parties


def another_agr(dso: Peer, *, point: str, home: str, domain: str = "", endpoint: str = "") -> Peer:
    """One more AGR, with its connection `home` behind another congestion point of the DSO's."""
    agr = join("AGR", domain, endpoint=endpoint)
    publish_point(dso, point, home)
    publish_connections(agr, home)
    return agr


def publish_point(
    dso: Peer, point: str, *homes: str, first: str = "2026-01-01", last: str | None = None
) -> None:
    """The congestion point, up to `last` or open-ended, with connections that are open-ended."""
    end = f' EndPeriod="{last}"' if last else ""
    lines = "".join(f'<Connection EntityAddress="{home}" StartPeriod="{first}"/>' for home in homes)
    terms = 'MutexOffersSupported="true" DayAheadRedispatchBy="AGR"'
    days = f'StartPeriod="{first}"{end}'
    inside = f'<CongestionPoint EntityAddress="{point}" {days} {terms}>{lines}</CongestionPoint>'
    say(dso, message(dso, "DSOPortfolioUpdate", inside, TimeZone=ZONE), "Accepted")


def publish_connections(agr: Peer, *homes: str, first: str = "2026-01-01", last: str | None = None) -> None:
    end = f' EndPeriod="{last}"' if last else ""
    lines = "".join(f'<Connection EntityAddress="{home}" StartPeriod="{first}"{end}/>' for home in homes)
    say(agr, message(agr, "AGRPortfolioUpdate", lines, TimeZone=ZONE), "Accepted")


def message(peer: Peer, message_type: str, inside: str = "", **values: str | None) -> bytes:
    """A message with the TimeStamp of the CRO's clock, unless told otherwise."""
    return peer.xml(message_type, inside, **{"TimeStamp": clock.now().isoformat(), **values})


def say(peer: Peer, content: bytes, result: str = "", *, major: int = 3) -> OutboundMessage:
    """Post a message, have it handled, and give the CRO's own answer to it, whose Result must be `result`."""
    answer = exchange(peer, content, major)
    assert not result or answer.result == result, answer.reason
    return answer


def send(peer: Peer, content: bytes, *, major: int = 3) -> InboundMessage:
    """Post a message and have it handled, whether the CRO answers it or not; gives what is kept of it."""
    inbound = receive(peer, content, major)
    drain(peer)
    inbound.refresh_from_db()
    return inbound


def a_contract(
    dso: Peer,
    agr: Peer,
    contract_id: str = CONTRACT,
    *,
    point: str = POINT,
    first: date = date(2026, 1, 1),
    last: date | None = None,
    isp_minutes: int = 15,
    deadline: Deadline = DEADLINE,
    profile: Profile = PROFILE,
    state: str = "in force",
) -> Contract:
    """A contract as if imported, or its next version."""
    terms = Terms(
        congestion_point=point,
        first=first,
        last=last,
        isp_minutes=isp_minutes,
        deadline=deadline,
        profile=profile,
    )
    contracts.record(
        participant(dso),
        participant(agr),
        contract_id,
        terms,
        state=ContractVersion.State(state),
        source=Source.of_import("contracts.csv"),
    )
    return Contract.objects.get(dso=participant(dso), agr=participant(agr), contract_id=contract_id)


def update_xml(
    dso: Peer,
    to: str,
    *isps: Said,
    period: date | str = DAY,
    contract_id: str = CONTRACT,
    **values: str | None,
) -> bytes:
    """A FlexReservationUpdate addressed to the domain `to`, of (Start, Duration, Power) elements.

    `said` are further attributes, with an underscore for the hyphen: ISP_Duration, TimeStamp, CongestionPoint ….
    """
    attributes: Mapping[str, str | None] = {
        "RecipientDomain": to,
        "ISP-Duration": "PT15M",
        "TimeZone": ZONE,
        "Period": str(period),
        "CongestionPoint": POINT,
        "ContractID": contract_id,
        "Reference": "reference-1",
        **{name.replace("_", "-"): value for name, value in values.items()},
    }
    inside = "".join(
        f'<ISP Power="{power}" Start="{start}" Duration="{duration}"/>' for start, duration, power in isps
    )
    return message(dso, "FlexReservationUpdate", inside, **attributes)


def response_xml(
    agr: Peer, to: str, message_id: str, result: str = "Accepted", **values: str | None
) -> bytes:
    """What the AGR answers the DSO, or a copy of it for the CRO, in the version said (3.1.0)."""
    four = str(values.get("Version", "")).startswith("4")
    reference = "ReferenceMessageID" if four else "FlexReservationUpdateMessageID"
    attributes = {"RecipientDomain": to, "Result": result, reference: message_id, **values}
    return message(agr, "FlexReservationUpdateResponse", **attributes)


def said_in(content: bytes) -> dict[str, str]:
    """The attributes of a message's root."""
    return dict(ElementTree.fromstring(content).attrib)


def update_of(inbound: InboundMessage) -> ReservationUpdate:
    """The reservation update that a message has become."""
    return ReservationUpdate.objects.select_related("dso", "agr", "contract").get(message=inbound)


def state(update: ReservationUpdate) -> str:
    return lifecycle.state_of(update).state


def states(update: ReservationUpdate) -> list[tuple[str, str]]:
    """Every state of an update, in order, each with the kind of change that brought it."""
    rows = UpdateState.objects.filter(update=update).order_by("recorded_by__moment")
    return [(row.state, row.recorded_by.kind) for row in rows.select_related("recorded_by")]


def deliver(peer: Peer) -> list[tuple[str, str]]:
    """Deliver what is due for this participant; gives the wake-ups asked for."""
    wakes: list[tuple[str, str]] = []
    delivery.deliver_due(peer.role, peer.domain, wake=lambda role, domain: wakes.append((role, domain)))
    return wakes


def make_due() -> None:
    """What waits to be tried again is due at once."""
    OutboundMessage.objects.filter(state="waiting").update(next_attempt_at=timezone.now())


def clerk(reason: str = "The parties said so by telephone.") -> Source:
    """A member of staff, with a reason."""
    return Source.of_staff("clerk", reason)


def answer_to(inbound: InboundMessage) -> OutboundMessage | None:
    """The CRO's own answer to a message, None where it has none."""
    return OutboundMessage.objects.filter(in_reply_to=inbound).first()
