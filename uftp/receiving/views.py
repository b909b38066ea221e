"""The door: a POST becomes a stored message, or is refused with a status (docs/protocol-support.md, Receiving)."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import View

from common import clock
from participants import admission
from participants.admission import KeyLookup
from participants.discovery import DiscoveryFailed
from participants.models import Mode, Participant
from uftp.delivery import outbox
from uftp.protocol.messages import SignedMessage
from uftp.protocol.parsing import Header, InvalidXML, check, open_envelope
from uftp.protocol.sealing import BadSignature, unseal
from uftp.receiving import inbox, refusals
from uftp.receiving.http_checks import (
    ENDS,
    PIECE,
    PLAIN,
    Line,
    LineThenDiscard,
    Refused,
    check_headers,
    claimed_in,
    count_request,
    line_of,
    read_body,
)
from uftp.receiving.inbox import Arrived, Receipt
from uftp.wakeups import wakeups

logger = logging.getLogger(__name__)

LARGE = 4_000_000
"""Bytes from which on bodies are opened one at a time, so that several cannot fill the memory together."""

LARGE_WAIT = 20.0  # seconds
DISCARD_SECONDS = 5.0
RETRY_SECONDS = 10

_one_large = threading.Lock()


class MessageView(View):
    """`/shapeshifter/api/v<major>/message`. The signature is what authenticates a sender."""

    http_method_names = ["post"]
    claimed: tuple[str, str] | None = None
    ends = b""
    """What has been read of the body, as far as it says whose it is."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """The status and the one line of a refusal; never more about an error of ours than that there is one.

        What was refused, from where and in whose name it came, is in the log; staff see it too where it is kept.
        """
        try:
            return super().dispatch(request, *args, **kwargs)
        except Refused as refused:
            return self._refuse(refused)
        except (DatabaseError, InterfaceError) as error:
            logger.error("A message was not taken for trouble with the database: %s", error)
        except Exception:
            logger.exception("A message was not taken for an error of ours.")
        return line_of(503, "the CRO is in trouble: send the message again later", RETRY_SECONDS)

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return line_of(405, "POST a SignedMessage here")

    def post(self, request: HttpRequest, major: int) -> HttpResponse:
        """200 with an empty body once the message is durably stored."""
        try:
            length = check_headers(request)
        except Refused as refused:
            if refused.status_code == 400:
                self.ends = request.read(ENDS)
            raise
        count_request(request.META.get("REMOTE_ADDR", ""), time.time())
        large = length > LARGE
        if large and not _one_large.acquire(timeout=LARGE_WAIT):
            raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
        try:
            signed = self._open(request, length)
            receipt = take(signed, major, clock.now())
        finally:
            if large:
                _one_large.release()
        wakeups.wake_inbox(receipt.sender_id)
        return HttpResponse(status=200, headers={"Content-Length": "0"})

    def _open(self, request: HttpRequest, length: int) -> SignedMessage:
        """Read the body, whose length was checked before, and open the envelope."""
        body = read_body(request, length)
        self.ends = body[:ENDS] + body[-ENDS:]
        try:
            signed = open_envelope(body)
        except InvalidXML as wrong:
            raise Refused(400, f"SignedMessage: {wrong}") from None
        self.claimed = signed.sender_role, signed.sender_domain
        return signed

    def _refuse(self, refused: Refused) -> HttpResponseBase:
        address = self.request.META.get("REMOTE_ADDR", "")
        sender = " ".join(self.claimed) if self.claimed else "an unknown sender"
        logger.warning(
            "Refused with %s, from %s at %s: %s", refused.status_code, sender, address, refused.line
        )
        if refused.status_code == 413:
            line = f"{refused.line}\n"
            pieces = self._line_then_discard(line)
            answer: Line | LineThenDiscard = LineThenDiscard(
                pieces, status=413, content_type=PLAIN, headers={"Content-Length": str(len(line))}
            )
        else:
            answer = line_of(refused.status_code, refused.line, refused.retry_after)
        if refused.status_code in refusals.STATUSES:
            answer.afterwards = lambda: self._keep(refused, address)
        return answer

    def _keep(self, refused: Refused, address: str) -> None:
        """Keep the refusal for staff, where it says whose message it was."""
        claimed = self.claimed or claimed_in(self.ends)
        if claimed is None:
            return
        refusals.keep(
            refusals.Refused(
                at=clock.now(),
                address=address,
                role=claimed[0],
                domain=claimed[1],
                major=self.kwargs["major"],
                status=refused.status_code,
                line=refused.line,
                size=int(self.request.META.get("CONTENT_LENGTH") or 0),
                content=refused.content,
            )
        )

    def _line_then_discard(self, line: str) -> Iterator[bytes]:
        """The refusal; then what the client is still sending is read and not kept, or it would never read its refusal.

        Gives up on clients that send for long.
        """
        yield line.encode()
        ends = time.monotonic() + DISCARD_SECONDS
        with contextlib.suppress(OSError):
            while time.monotonic() < ends and (piece := self.request.read(PIECE)):
                self.ends = (self.ends or piece[:ENDS])[:ENDS] + piece[-ENDS:]


@dataclass(frozen=True, slots=True)
class _Known:
    """Who proved itself lately, and by which of its configured keys."""

    participant: Participant
    key: bytes


_known: dict[tuple[str, str], _Known] = {}
"""By role and domain. It only saves looking up: a message is stored where the key is valid as it is stored."""


def take(signed: SignedMessage, major: int, now: datetime) -> Receipt:
    """Verify, validate and store a message. Raises Refused, and Django's database errors."""
    known = _known.get((signed.sender_role, signed.sender_domain))
    if known is not None and len(signed.body) <= LARGE:
        receipt = _take_known(signed, major, now, known)
        if receipt is not None:
            return receipt
    return _take(signed, major, now)


def _take_known(signed: SignedMessage, major: int, now: datetime, known: _Known) -> Receipt | None:
    """Take a message in one statement, by the key that its sender used before; None where that is not all there is."""
    try:
        content = unseal(signed.body, [known.key])
        header = check(content, major)
        receipt = inbox.receive_proven(_arrived(signed, content, header, major, now), known.key)
    except (BadSignature, InvalidXML, DatabaseError, InterfaceError):
        return None
    if receipt is not None:
        admission.record_heard(known.participant, now)
    return receipt


def _take(signed: SignedMessage, major: int, now: datetime) -> Receipt:
    role, domain = signed.sender_role, signed.sender_domain
    try:
        lookup = admission.find_keys(role, domain, now)
    except DiscoveryFailed as failure:
        raise Refused(419, f"the public key of {role} {domain} cannot be looked up: {failure}") from None
    if not lookup.keys:
        raise Refused(419, f"no public key of {role} {domain} can be found")
    try:
        content = unseal(signed.body, lookup.keys)
    except BadSignature as wrong:
        raise Refused(401, f"Body: {wrong}") from None
    try:
        header = check(content, major)
    except InvalidXML as wrong:
        raise Refused(400, f"Body: {wrong}", content=content) from None
    return _store(_arrived(signed, content, header, major, now), lookup)


def _arrived(signed: SignedMessage, content: bytes, header: Header, major: int, now: datetime) -> Arrived:
    return Arrived(
        role=signed.sender_role,
        domain=signed.sender_domain,
        sealed=signed.body,
        content=content,
        header=header,
        major=major,
        received_at=now,
    )


def _store(arrived: Arrived, lookup: KeyLookup) -> Receipt:
    """Store the message and what its arrival says about its sender; have a copy's answer sent again."""
    role, domain, now = arrived.role, arrived.domain, arrived.received_at
    if lookup.participant is None and admission.current_mode() == Mode.OPEN:
        with transaction.atomic():
            admission.record_first_contact(role, domain, _proving(arrived.sealed, lookup.keys), now)
    receipt = inbox.receive(arrived)
    if lookup.participant is not None:
        admission.record_heard(lookup.participant, now)
        if not lookup.discovered:
            _known[role, domain] = _Known(lookup.participant, _proving(arrived.sealed, lookup.keys))
    if receipt.copy:
        for recipient in outbox.answer_copy(receipt.inbound_id, now):
            wakeups.wake_outbox(*recipient)
    return receipt


def _proving(sealed: bytes, keys: tuple[bytes, ...]) -> bytes:
    """The one of `keys` that verifies `sealed`, which one of them does."""
    for key in keys[:-1]:
        try:
            unseal(sealed, [key])
        except BadSignature:
            continue
        return key
    return keys[-1]
