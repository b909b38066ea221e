"""Find out who a sender is, which keys it has, and whether it may act."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from participants import audit, discovery
from participants.keys import format_public_key
from participants.lookups import Asker
from participants.models import Mode, Participant, ParticipantStanding, Role

LAST_HEARD_RESOLUTION = timedelta(minutes=1)

HEARD_LATELY = timedelta(days=7)
"""A participant that discovery has recorded has slots for look-ups for so long after its last verified message."""

ZONE_SHARE = 20
"""Discovery records one in so many of DISCOVERY_MAX_PARTICIPANTS in one zone, whose owner has any number of names."""


class Admission(StrEnum):
    """The result of `admit`: the sender may act, or the RejectionReason of its response."""

    ALLOWED = "allowed"
    BARRED = "Barred Sender"
    UNAUTHORIZED = "Unauthorized"


def admit(participant: Participant | None, mode: str) -> Admission:
    """Decide whether a sender whose signature verified may act (docs/protocol-support.md, Standing).

    Args:
        participant: None for a sender that is not configured, and whose key was found by discovery.
        mode: `open` or `closed`.
    """
    match participant.standing if participant else ParticipantStanding.KNOWN:
        case ParticipantStanding.BARRED:
            return Admission.BARRED
        case ParticipantStanding.AUTHORIZED:
            return Admission.ALLOWED
        case ParticipantStanding.KNOWN if mode == Mode.OPEN:
            return Admission.ALLOWED
        case _:
            return Admission.UNAUTHORIZED


def current_mode() -> str:
    """Return the mode, `open` or `closed`. It is open until staff close it."""
    return Mode.objects.filter(pk=1).values_list("value", flat=True).first() or Mode.OPEN


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """The configured participant, if there is one, and the 32-byte keys that may verify the sender's signature.

    Attributes:
        discovered: The keys were found by discovery. A sender that they prove has to be recorded.
    """

    participant: Participant | None
    keys: tuple[bytes, ...]
    discovered: bool = False


def find_keys(
    role: str,
    domain: str,
    now: datetime,
    source: discovery.Discovery | None = None,
    *,
    newer_than: float | None = None,
) -> KeyLookup:
    """Find the keys that (role, domain) may sign with at `now`: the configured ones, else the published ones.

    Makes two queries at most. A published key that staff have ended for this participant is left out. Not to be called
    in a transaction: a look-up may take seconds.

    Args:
        role: The role of the sender.
        domain: The domain of the sender.
        now: An aware moment.
        source: Where keys are published; by default the source in the settings.
        newer_than: Take no published keys that were looked up longer than so many seconds ago.

    Returns:
        The keys. Without any, the sender is unknown (419).

    Raises:
        DiscoveryFailed: The keys cannot be looked up at the moment (419).
    """
    if role not in Role.values or domain == settings.CRO_DOMAIN:
        return KeyLookup(None, ())
    participant = Participant.objects.filter(role=role, domain=domain).prefetch_related("keys").first()
    ended: set[bytes] = set()
    if participant:
        keys = list(participant.keys.all())
        if valid := tuple(bytes(key.value) for key in keys if key.is_valid_at(now)):
            return KeyLookup(participant, valid)
        ended = {bytes(key.value) for key in keys if key.valid_until and key.valid_until <= now}
    published = (source or discovery.configured()).keys(
        role, domain, asker=_asker(participant, now), newer_than=newer_than
    )
    return KeyLookup(participant, tuple(key for key in published if key not in ended), discovered=True)


def _asker(participant: Participant | None, now: datetime) -> Asker:
    """Return on whose behalf the keys of `participant` are looked up.

    A participant that staff have neither authorized nor given a key is one of any number that an owner of a zone can
    have recorded.
    """
    match participant.standing if participant else None:
        case ParticipantStanding.AUTHORIZED:
            return Asker.REGISTERED
        case ParticipantStanding.KNOWN:
            assert participant is not None
            if participant.keys.all():
                return Asker.REGISTERED
            if participant.last_heard_at and now - participant.last_heard_at <= HEARD_LATELY:
                return Asker.DISCOVERED
    return Asker.UNREGISTERED


class TooManyDiscovered(Exception):
    """Discovery records no more senders (DISCOVERY_MAX_PARTICIPANTS)."""


def discovered_participants() -> QuerySet[Participant]:
    """Return the participants that are known and have no key here: those that discovery records."""
    return Participant.objects.filter(standing=ParticipantStanding.KNOWN, keys=None)


def check_room(domain: str, recorded: QuerySet[Any], in_zones: QuerySet[Any]) -> None:
    """Check that discovery may record one more sender. Several at the same moment may exceed a limit a little.

    Args:
        domain: The domain of the sender.
        recorded: The rows that count against DISCOVERY_MAX_PARTICIPANTS.
        in_zones: The rows that count against the share of their zone.

    Raises:
        TooManyDiscovered: There are too many, in all or in the zone of `domain`.
    """
    most = settings.DISCOVERY_MAX_PARTICIPANTS
    if recorded.count() >= most:
        raise TooManyDiscovered(f"this CRO has recorded {most} senders by discovery, and records no more")
    zone, share = discovery.registrable_zone(domain), max(1, most // ZONE_SHARE)
    if in_zones.filter(Q(domain=zone) | Q(domain__endswith=f".{zone}")).count() >= share:
        raise TooManyDiscovered(
            f"this CRO has recorded {share} senders of {zone} by discovery, and records no more of it"
        )


def record_first_contact(role: str, domain: str, key: bytes, now: datetime) -> Participant:
    """Return the participant (role, domain). Record it with the standing known if it is new.

    Two first messages at the same time record one participant.

    Args:
        role: The role of the sender.
        domain: The domain of the sender.
        key: The published key that verified the message. It is written to the audit trail, but not configured: the
            participant rotates its keys where it publishes them.
        now: An aware moment.

    Raises:
        TooManyDiscovered: It is new, and there are too many.
    """
    if stored := Participant.objects.filter(role=role, domain=domain).first():
        return stored
    # Those that staff have suspended or barred count in their zone: otherwise its owner would get new names for them.
    unauthorized = Participant.objects.filter(keys=None).exclude(standing=ParticipantStanding.AUTHORIZED)
    check_room(domain, discovered_participants(), unauthorized)
    with transaction.atomic():
        participant, created = Participant.objects.get_or_create(
            role=role, domain=domain, defaults={"standing": ParticipantStanding.KNOWN, "last_heard_at": now}
        )
        if not created:
            return participant
        audit.record(
            "discovery",
            "recorded on first contact",
            str(participant),
            after={"standing": ParticipantStanding.KNOWN.value, "published key": format_public_key(key)},
            about=participant,
            participants=[participant],
        )
    return participant


def record_last_heard(participant: Participant, now: datetime) -> None:
    """Record when `participant` was last heard from, to the minute. So most messages need no query."""
    before = now - LAST_HEARD_RESOLUTION
    if participant.last_heard_at is None or participant.last_heard_at <= before:
        Participant.objects.filter(
            Q(last_heard_at__isnull=True) | Q(last_heard_at__lte=before), pk=participant.pk
        ).update(last_heard_at=now)
        participant.last_heard_at = now
