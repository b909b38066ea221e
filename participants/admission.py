"""Find out who a sender is, which keys it has, and whether it may act."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Q

from participants import audit, discovery
from participants.keys import format_public_key
from participants.models import Mode, Participant, ParticipantStanding, Role

LAST_HEARD_RESOLUTION = timedelta(minutes=1)


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
        role, domain, unregistered=participant is None, newer_than=newer_than
    )
    return KeyLookup(participant, tuple(key for key in published if key not in ended), discovered=True)


def record_first_contact(role: str, domain: str, key: bytes, now: datetime) -> Participant:
    """Return the participant (role, domain). Record it with the standing known if it is new.

    Two first messages at the same time record one participant.

    Args:
        role: The role of the sender.
        domain: The domain of the sender.
        key: The published key that verified the message. It is written to the audit trail, but not configured: the
            participant rotates its keys where it publishes them.
        now: An aware moment.
    """
    participant, created = Participant.objects.get_or_create(
        role=role, domain=domain, defaults={"standing": ParticipantStanding.KNOWN, "last_heard_at": now}
    )
    if created:
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
