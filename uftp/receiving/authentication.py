"""The authentication of the message endpoint: the seal over a message proves who sent it.

A sealed message is the signature and the inner XML (docs/protocol-support.md, "Signing and sealing").
"""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from common import clock
from participants import admission
from participants.discovery import DiscoveryFailed
from participants.models import Participant
from uftp.protocol.messages import SignedMessage
from uftp.protocol.sealing import BadSignature, unseal
from uftp.receiving.exceptions import Refused
from uftp.receiving.large_bodies import LARGE
from uftp.receiving.requests import MessageRequest

RECHECK_SECONDS = 30.0
"""A signature that no published key verifies is judged by keys that were looked up within so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticatedSender:
    """The sender of a message, as its seal proves.

    Attributes:
        role: The role in the envelope.
        domain: The domain in the envelope.
        key: The public key that verified the seal at `at`.
        at: The moment of the authentication. It is also the moment of the receipt.
        participant: The participant, or None if it is not registered.
        discovered: The key was found by discovery and is not configured.
        cached: The key was valid for an earlier message. The statement that stores the message confirms it.
    """

    role: str
    domain: str
    key: bytes
    at: datetime
    participant: Participant | None
    discovered: bool = False
    cached: bool = False


@dataclass(frozen=True, slots=True)
class _CachedSender:
    """A participant, and the configured key that verified its last message."""

    participant: Participant
    key: bytes


_cached_senders: dict[tuple[str, str], _CachedSender] = {}
"""Role and domain to the cached key. It only saves queries: the database confirms it (`AuthenticatedSender.cached`)."""


class SealAuthentication(BaseAuthentication):
    """Verifies the seal: `request.user` is an AuthenticatedSender, `request.auth` the sealed content."""

    def authenticate(self, request: Request) -> tuple[AuthenticatedSender, bytes]:
        """Verify the seal by the key of the sender's last message, or else by its valid keys.

        Raises:
            Refused: 400, 401 or 419.
            DatabaseError, InterfaceError: The keys could not be read.
        """
        signed = cast(MessageRequest, request).data
        now = clock.now()
        return _verify_by_cached_key(signed, now) or verify(signed, now)


class FindKeys(Protocol):
    """Returns at least one key of (role, domain), or raises."""

    def __call__(
        self, role: str, domain: str, now: datetime, *, newer_than: float | None = None
    ) -> admission.KeyLookup: ...


def verify(
    signed: SignedMessage, now: datetime, find_keys: FindKeys | None = None
) -> tuple[AuthenticatedSender, bytes]:
    """Verify the seal by the keys that are valid at `now`, and return the sender and the content.

    Args:
        signed: The envelope.
        now: An aware moment.
        find_keys: How keys are found; by default they are looked up.

    Raises:
        Refused: 419 if there is no key, 401 if none of them verifies the seal.
        DatabaseError, InterfaceError: The keys could not be read.
    """
    find = find_keys or _find_keys
    role, domain = claimed = signed.sender_role, signed.sender_domain
    lookup = find(role, domain, now)
    try:
        try:
            key, content = _unseal(signed.body, lookup.keys)
        except BadSignature:
            if not lookup.discovered:
                raise
            # A participant replaces its published key without telling us: look again before it is turned away.
            lookup = find(role, domain, now, newer_than=RECHECK_SECONDS)
            key, content = _unseal(signed.body, lookup.keys)
    except BadSignature as wrong:
        raise Refused(401, f"Body: {wrong}", claimed=claimed) from None
    sender = AuthenticatedSender(
        role=role,
        domain=domain,
        key=key,
        at=now,
        participant=lookup.participant,
        discovered=lookup.discovered,
    )
    return sender, content


def _find_keys(
    role: str, domain: str, now: datetime, *, newer_than: float | None = None
) -> admission.KeyLookup:
    """Return at least one key of (role, domain). Raises Refused (419) if there is none, or if none can be looked up."""
    try:
        lookup = admission.find_keys(role, domain, now, newer_than=newer_than)
    except DiscoveryFailed as failure:
        line = f"the public key of {role} {domain} cannot be looked up: {failure}"
        raise Refused(419, line, claimed=(role, domain)) from None
    if not lookup.keys:
        line = f"no public key of {role} {domain} can be found: let the CRO's operator register it, and send this again"
        raise Refused(419, line, claimed=(role, domain))
    return lookup


Question = tuple[str, str, float | None]
"""Whose keys are needed, and how new they must be: the arguments of FindKeys."""


class KeysNeeded(Exception):
    """Keys that nobody has looked up ahead."""

    def __init__(self, question: Question) -> None:
        super().__init__(question)
        self.question = question


class KeysLookedUpAhead:
    """The keys for one message, which are looked up before they are needed.

    Args:
        now: When the keys must be valid.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._found: dict[Question, admission.KeyLookup] = {}

    def guess(self, claimed: tuple[str, str] | None) -> None:
        """Look up the keys of the sender that a body seems to have. If there are none, it may be another sender."""
        if claimed is not None:
            with contextlib.suppress(Refused):
                self.look_up(*claimed, None)

    def look_up(self, role: str, domain: str, newer_than: float | None) -> None:
        """Look up keys. Raises Refused (419)."""
        self._found[role, domain, newer_than] = _find_keys(role, domain, self._now, newer_than=newer_than)

    def find(
        self, role: str, domain: str, now: datetime, *, newer_than: float | None = None
    ) -> admission.KeyLookup:
        """Return the keys. Raises KeysNeeded if they are not looked up."""
        question = role, domain, newer_than
        if question not in self._found:
            raise KeysNeeded(question)
        return self._found[question]


def remember(sender: AuthenticatedSender) -> None:
    """Cache the key of a sender for its next message, if the key is configured."""
    if sender.participant is not None and not sender.discovered:
        _cached_senders[sender.role, sender.domain] = _CachedSender(sender.participant, sender.key)


def _verify_by_cached_key(signed: SignedMessage, now: datetime) -> tuple[AuthenticatedSender, bytes] | None:
    """Verify by the key of the sender's last message. Return None if there is none or it does not verify the seal."""
    known = _cached_senders.get((signed.sender_role, signed.sender_domain))
    if known is None or len(signed.body) > LARGE:
        return None
    try:
        content = unseal(signed.body, [known.key])
    except BadSignature:
        return None
    sender = AuthenticatedSender(
        role=signed.sender_role,
        domain=signed.sender_domain,
        key=known.key,
        at=now,
        participant=known.participant,
        cached=True,
    )
    return sender, content


def _unseal(sealed: bytes, keys: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """Return the first of `keys` that verifies `sealed`, and the content. Raises BadSignature."""
    for key in keys[:-1]:
        try:
            return key, unseal(sealed, [key])
        except BadSignature:
            continue
    return keys[-1], unseal(sealed, keys[-1:])
