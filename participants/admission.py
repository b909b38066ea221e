"""Who a sender is, by which keys it is known, and whether it may act."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import Q

from participants import audit, discovery
from participants.keys import format_public_key
from participants.models import Mode, Participant, Role, Standing

HEARD_EVERY = timedelta(minutes=1)


class Admission(StrEnum):
    """What a sender gets: allowed to act, or the RejectionReason of its answer."""

    ALLOWED = "allowed"
    BARRED = "Barred Sender"
    UNAUTHORIZED = "Unauthorized"


def admit(participant: Participant | None, mode: str) -> Admission:
    """Whether a sender whose signature verified may act, in `mode` (`open` or `closed`).

    `participant` is None for a sender that is not configured and whose key discovery proved. The table is in
    docs/protocol-support.md, Standing.
    """
    match participant.standing if participant else Standing.KNOWN:
        case Standing.BARRED:
            return Admission.BARRED
        case Standing.AUTHORIZED:
            return Admission.ALLOWED
        case Standing.KNOWN if mode == Mode.OPEN:
            return Admission.ALLOWED
        case _:
            return Admission.UNAUTHORIZED


def current_mode() -> str:
    """`open` or `closed`; open until staff close it."""
    return Mode.objects.filter(pk=1).values_list("value", flat=True).first() or Mode.OPEN


@dataclass(frozen=True, slots=True)
class KeyLookup:
    """Who a sender is as far as configured, and the 32-byte keys that may verify its signature.

    `discovered`: the keys are published ones, so that a sender they prove is to be recorded.
    """

    participant: Participant | None
    keys: tuple[bytes, ...]
    discovered: bool = False


def find_keys(role: str, domain: str, now: datetime, source: discovery.Discovery | None = None) -> KeyLookup:
    """The keys that (role, domain) may sign with at `now`: configured ones, or else those it publishes.

    Two queries at most. A published key that staff have ended for this participant does not count. No keys:
    the sender cannot be known (419), and the same where DiscoveryFailed is raised. `source` stands in for the
    one that the settings name.
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
    published = (source or discovery.configured()).keys(role, domain)
    return KeyLookup(participant, tuple(key for key in published if key not in ended), discovered=True)


def record_first_contact(role: str, domain: str, key: bytes, now: datetime) -> Participant:
    """The participant (role, domain), recorded as known where it was not there yet.

    `key` is the published key that proved it. It goes into the audit trail and not among the configured keys,
    so that the participant rotates its keys where it publishes them. Two first messages at once record one
    participant.
    """
    participant, created = Participant.objects.get_or_create(
        role=role, domain=domain, defaults={"standing": Standing.KNOWN, "last_heard_at": now}
    )
    if created:
        audit.note(
            "discovery",
            "recorded on first contact",
            str(participant),
            after={"standing": Standing.KNOWN.value, "published key": format_public_key(key)},
            about=participant,
            participants=[participant],
        )
    return participant


def record_heard(participant: Participant, now: datetime) -> None:
    """Keep when `participant` was last heard, to the minute: most messages cost no query."""
    before = now - HEARD_EVERY
    if participant.last_heard_at is None or participant.last_heard_at <= before:
        Participant.objects.filter(
            Q(last_heard_at__isnull=True) | Q(last_heard_at__lte=before), pk=participant.pk
        ).update(last_heard_at=now)
        participant.last_heard_at = now
