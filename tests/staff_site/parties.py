"""Three sets of participants, alike but for their names, with a row of theirs in every table of the console.

`own`: a member of staff acts for them. `seen`: looks at them. `stranger`: neither. Whatever belongs to strangers has
the word `stranger` in it, so that a page which shows it says so. A connection and a few changes are shared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.test import Client
from django.utils.timezone import now
from guardian.shortcuts import assign_perm

from cro_project.staff.groups import AUDITOR, OPERATOR, PARTICIPANT_MANAGER
from participants import audit
from participants.journal import contacts, entries
from participants.keys import format_public_key
from participants.models import AuditEntry, Contact, Participant
from participants.registration import add_or_update_participant, set_standing
from registry.changes import Source
from registry.decisions.settle import settle
from registry.market.policies import set_policy
from registry.models import (
    Change,
    Conflict,
    CongestionPoint,
    CongestionPointConnection,
    CongestionPointTerms,
    Connection,
    Notice,
    Representation,
    RevisionPlace,
)
from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import Terms
from reservations.deadlines import Deadline
from reservations.models import Contract, ContractVersion, ReservationUpdate
from tests.support.exchange import drain, exchange, receive
from tests.support.peer import CRO, Peer
from uftp import message_search
from uftp.connectivity import send_test_message
from uftp.delivery.circuits import open_after_refusal
from uftp.models import (
    CircuitBreaker,
    DeliveryAttempt,
    InboundMessage,
    MessageSearch,
    OutboundMessage,
    Refusal,
    Sender,
)

SHARED = "ea1.2026-01.example.shared:home-9"
FIRST, HALF_WAY = "2026-01-01", "2030-07-01"


def home(tag: str, number: int) -> str:
    return f"ea1.2026-01.example.{tag}:home-{number}"


def point(tag: str) -> str:
    return f"ea1.2026-01.example.{tag}:point-1"


@dataclass
class Party:
    """A set of participants by `agr`, `two` (an AGR that contests it) and `dso`, and their rows by table."""

    tag: str
    peers: dict[str, Peer] = field(default_factory=dict)
    participants: dict[str, Participant] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def make(tag: str) -> Party:
    """Add the participants `<tag>-agr`, `<tag>-two` and `<tag>-dso`, and have them send messages."""
    party = Party(tag)
    for name, role in (("agr", "AGR"), ("two", "AGR"), ("dso", "DSO")):
        domain = f"{tag}-{name}.example"
        peer = party.peers[name] = Peer(role, domain, sha256(domain.encode()).digest())
        party.participants[name], _ = add_or_update_participant(
            role=role,
            domain=domain,
            public_key=format_public_key(peer.public_key),
            endpoint=f"http://127.0.0.1:9/{tag}",
            name=f"The {tag} {name}",
            actor="kim",
            now=datetime(2026, 1, 1, tzinfo=UTC),
        )
    dso, agr, two = (party.peers[name] for name in ("dso", "agr", "two"))
    exchange(dso, dso.xml("DSOPortfolioUpdate", _point(tag), TimeZone="Europe/Amsterdam"))
    exchange(agr, claim(agr, [home(tag, number) for number in (1, 2, 3)]))
    shared = (SHARED, FIRST, "2030-06-30") if tag == "own" else (SHARED, HALF_WAY, "")
    if tag != "seen":
        exchange(agr, _update(agr, shared))
    if tag not in ("own", "seen"):
        exchange(two, _update(two, shared))
    exchange(two, claim(two, [home(tag, 1), home(tag, 2)]))
    answer = exchange(two, _update(two, (home(tag, 3), "2030-02-01", "2030-01-01")))
    _decide(party)
    _reserve(party)
    _deliver(party, answer)
    _refuse(party)
    set_standing(party.participants["two"], "suspended", actor="kim", reason=f"Because of {tag}")
    _look_up(party)
    _write_journals(party)
    return party


def _homes(*lines: tuple[str, str, str]) -> str:
    return "".join(
        f'<Connection EntityAddress="{address}" StartPeriod="{first}"'
        + (f' EndPeriod="{last}"/>' if last else "/>")
        for address, first, last in lines
    )


def _update(peer: Peer, *lines: tuple[str, str, str]) -> bytes:
    return peer.xml("AGRPortfolioUpdate", _homes(*lines), TimeZone="Europe/Amsterdam")


def claim(peer: Peer, addresses: list[str]) -> bytes:
    return _update(peer, *((address, FIRST, "") for address in addresses))


def _point(tag: str) -> str:
    return point_with(tag, [home(tag, number) for number in (1, 2, 3)] + [SHARED])


def point_with(tag: str, homes: list[str]) -> str:
    """The line of an update that has `homes` in the congestion point of a party."""
    terms = 'MutexOffersSupported="true" DayAheadRedispatchBy="AGR" IntradayRedispatchBy="DSO"'
    lines = _homes(*((address, FIRST, "") for address in homes))
    return f'<CongestionPoint EntityAddress="{point(tag)}" StartPeriod="{FIRST}" {terms}>{lines}</CongestionPoint>'


def _decide(party: Party) -> None:
    """One conflict is settled, one open; a membership of a fourth connection comes from a file."""
    of_party = Conflict.objects.filter(
        claimant=party.participants["two"], connection__address=home(party.tag, 2)
    )
    settle(
        of_party.get(closed_by=None).pk,
        "keep",
        at=None,
        source=Source.of_staff("kim", f"Decided about {party.tag}"),
        today=date(2026, 11, 1),
    )


def _reserve(party: Party) -> None:
    """A contract of the DSO with the AGR, an update that counts, and one that waits to be passed on to the AGR."""
    dso, agr = party.peers["dso"], party.peers["agr"]
    contract_with(party, party, f"{party.tag}-contract")
    for to in (CRO, agr.domain):
        update(dso, to, point(party.tag), f"{party.tag}-contract", f"{party.tag} needs less")


def contract_with(party: Party, other: Party, contract_id: str) -> Contract:
    """A contract of the DSO of `party` with the AGR of `other`, by staff."""
    terms = Terms(
        congestion_point=point(party.tag),
        first=date(2026, 1, 1),
        last=None,
        isp_minutes=15,
        deadline=Deadline(hours=1),
        profile=Profile((Stretch(1, 96, 1_000),)),
    )
    version = contracts.record(
        party.participants["dso"],
        other.participants["agr"],
        contract_id,
        terms,
        state=ContractVersion.State.IN_FORCE,
        source=Source.of_staff("kim", f"Agreed by {party.tag} with {other.tag}"),
    )
    assert version
    return version.contract


def update(dso: Peer, to: str, address: str, contract_id: str, reference: str) -> ReservationUpdate:
    """Have the DSO release an hour of the day after tomorrow, in a message to the domain `to`."""
    data = {
        "RecipientDomain": to,
        "ISP-Duration": "PT15M",
        "TimeZone": "Europe/Amsterdam",
        "Period": str(now().date() + timedelta(days=2)),
        "CongestionPoint": address,
        "ContractID": contract_id,
        "Reference": reference,
    }
    content = dso.xml("FlexReservationUpdate", '<ISP Power="0" Start="1" Duration="4"/>', **data)
    message = receive(dso, content)
    drain(dso)
    return ReservationUpdate.objects.get(message=message)


def _deliver(party: Party, answer: OutboundMessage) -> None:
    send_test_message(party.participants["agr"], now())
    OutboundMessage.objects.filter(pk=answer.pk).update(state="failed", finished_at=now())
    DeliveryAttempt.objects.create(
        message=answer,
        started_at=now(),
        endpoint=f"http://127.0.0.1:9/{party.tag}",
        outcome="temporary",
        detail=f"Nobody at {party.tag}",
    )
    recipient = answer.recipient_role, answer.recipient_domain
    open_after_refusal(recipient, answer.pk, f"HTTP 400: odd at {party.tag}", now())
    agr = party.peers["agr"]
    aside = receive(agr, claim(agr, [home(party.tag, 4)]))
    InboundMessage.objects.filter(pk=aside.pk).update(
        state="set aside", attempts=3, last_error=f"No disk for {party.tag}"
    )


def _refuse(party: Party) -> None:
    """A refused request in the name of each: proven for the AGRs, forged for the DSO."""
    for peer in party.peers.values():
        signer = peer if peer.role == "AGR" else Peer(peer.role, peer.domain, sha256(b"forged").digest())
        content = peer.xml("AGRPortfolioUpdate", f"<{party.tag}/>", TimeZone="Europe/Amsterdam")
        refused = Client().post(
            "/shapeshifter/api/v3/message", signer.envelope(content), content_type="text/xml; charset=utf-8"
        )
        assert 400 <= refused.status_code < 500, refused.content


def _search(party: Party, sender: Sender) -> MessageSearch:
    """A search for an address of the party in its own messages."""
    days = (date(2026, 1, 1), date(2026, 1, 31))
    moments = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
    return message_search.start(sender, home(party.tag, 1), days, moments, actor=party.tag, now=now())


def _look_up(party: Party) -> None:
    agr, two, dso = (party.participants[name] for name in ("agr", "two", "dso"))
    sender = Sender.objects.get(role="AGR", domain=agr.domain)
    conflicts = Conflict.objects.filter(holder=agr, claimant=two).exclude(connection__address=SHARED)
    memberships = CongestionPointConnection.objects.filter(dso=dso)
    representations = Representation.objects.filter(agr=agr, connection__address=home(party.tag, 3))
    party.rows = {
        "participants_participant": agr.pk,
        "participants_auditentry": AuditEntry.objects.filter(participants__contains=[two.pk]).latest("pk").pk,
        "uftp_sender": sender.pk,
        "uftp_messagesearch": _search(party, sender).pk,
        "uftp_inboundmessage": sender.messages.get(state="set aside").pk,
        "uftp_outboundmessage": OutboundMessage.objects.get(recipient_domain=two.domain, state="failed").pk,
        "uftp_circuitbreaker": CircuitBreaker.objects.get(domain=two.domain).pk,
        "uftp_deliveryattempt": DeliveryAttempt.objects.get(message__recipient_domain=two.domain).pk,
        "uftp_refusal": Refusal.objects.get(domain=agr.domain, verified=True).pk,
        "registry_congestionpoint": CongestionPoint.objects.get(dso=dso).pk,
        "registry_congestionpointterms": CongestionPointTerms.objects.get(congestion_point__dso=dso).pk,
        "registry_connection": Connection.objects.get(address=home(party.tag, 1)).pk,
        "registry_congestionpointconnection": memberships.get(connection__address=home(party.tag, 3)).pk,
        "registry_representation": representations.get().pk,
        "registry_conflict": conflicts.get(closed_by=None).pk,
        "settled": conflicts.get(closed_by__isnull=False).pk,
        "registry_change": Change.objects.filter(message__sender=sender).latest("pk").pk,
        "decided": conflicts.get(closed_by__isnull=False).closed_by_id or 0,
        "registry_notice": Notice.objects.filter(participant=agr).latest("pk").pk,
        "registry_revisionplace": RevisionPlace.objects.get(sender=agr).pk,
        "reservations_contract": Contract.objects.get(dso=dso).pk,
        "reservations_reservationupdate": ReservationUpdate.objects.get(dso=dso, addressed_to="CRO").pk,
        "key": agr.keys.get().pk,
        "test": OutboundMessage.objects.get(recipient_domain=agr.domain, message_type="TestMessage").pk,
    }


def _write_journals(party: Party) -> None:
    """A contact, and an entry with a file in the journal of the AGR, of its open conflict and of its contract."""
    agr, two, dso = (party.participants[name] for name in ("agr", "two", "dso"))
    contact = Contact(participant=agr, name=f"Ann of {party.tag}", purpose="conflicts", telephone="+31 20 1")
    contacts.save(contact, actor="kim")
    party.rows["contact"] = contact.pk
    about: tuple[tuple[type[Model], list[Participant]], ...] = (
        (Participant, [agr]),
        (Conflict, [agr, two]),
        (Contract, [dso, agr]),
    )
    for model, concerned in about:
        table = model._meta.label_lower.replace(".", "_")
        entry = entries.write(
            model._default_manager.get(pk=party.rows[table]),
            f"Called {party.tag}",
            author="kim",
            participants=[participant.pk for participant in concerned],
            files=[entries.File(f"{party.tag}.pdf", b"%PDF of " + party.tag.encode())],
        )
        party.rows[f"journal_{table}"] = entry.pk
        party.rows[f"file_{table}"] = entry.attachments.get().pk


def mixed_change(own: Party, stranger: Party) -> int:
    """A change by a stranger's message that recorded days of both; its key."""
    change = Change.objects.create(
        kind="message",
        message=InboundMessage.objects.filter(
            sender__domain=f"{stranger.tag}-agr.example", state="processed"
        )[0],
        moment=now(),
        participants=sorted(party.participants["agr"].pk for party in (own, stranger)),
    )
    for party in (own, stranger):
        connection, _ = Connection.objects.get_or_create(address=home(party.tag, 5))
        Representation.objects.create(
            agr=party.participants["agr"],
            connection=connection,
            period=(date(2031, 1, 1), date(2031, 2, 1)),
            standing="effective",
            recorded_by=change,
        )
    return change.pk


def staff(own: Party, seen: Party) -> dict[str, User]:
    """An auditor, an operator, a superuser, and one who acts for `own` and looks at `seen`."""
    who = {"superuser": User.objects.create_superuser("root", password="x")}
    for name, group in (("auditor", AUDITOR), ("operator", OPERATOR), ("limited", PARTICIPANT_MANAGER)):
        who[name] = User.objects.create_user(name, is_staff=True, password="x")
        who[name].groups.add(Group.objects.get(name=group))
    for party, permission in ((own, "change_participant"), (seen, "view_participant")):
        for participant in party.participants.values():
            assign_perm(f"participants.{permission}", who["limited"], participant)
    return who


def allow_shared_connections() -> None:
    """Several DSOs may have a connection, so that sharing one is no conflict."""
    at = datetime(2026, 1, 1, tzinfo=UTC) - timedelta(days=1)
    set_policy("membership conflicts", "allow", actor="kim", reason="", now=at)
    audit.record("kim", "did", "something of no participant's", about=None)
