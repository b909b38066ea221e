"""The door: a POST becomes a stored message, or is refused with a status (docs/protocol-support.md, Receiving)."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any, cast

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from participants import admission, clock
from participants.admission import KeyLookup
from participants.discovery import DiscoveryFailed
from participants.models import Mode
from uftp import inbox, outbox, refusals, tasks
from uftp.inbox import Receipt
from uftp.messages import SignedMessage
from uftp.parsing import Header, InvalidXML, check, open_envelope
from uftp.sealing import BadSignature, unseal
from uftp.transport import (
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

logger = logging.getLogger(__name__)

LARGE = 4_000_000
"""Bytes from which on bodies are opened one at a time, so that several cannot fill the memory together."""

LARGE_WAIT = 20.0  # seconds
DISCARD_SECONDS = 5.0
RETRY_SECONDS = 10

_one_large = threading.Lock()


class SignedMessageParser(BaseParser):
    """Reads the body, whose length was checked before, and opens the envelope."""

    media_type = "text/xml"

    def parse(  # type: ignore[override]
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> SignedMessage:
        context = parser_context or {}
        body = read_body(stream, int(context["request"].META["CONTENT_LENGTH"]))
        context["view"].ends = body[:ENDS] + body[-ENDS:]
        try:
            return open_envelope(body)
        except InvalidXML as wrong:
            raise Refused(400, f"SignedMessage: {wrong}") from None


class LineRenderer(BaseRenderer):
    """Only there because a view has a renderer: no answer of this one has content to negotiate."""

    media_type = "text/plain"
    format = "txt"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        return str(data).encode()


class NoNegotiation(BaseContentNegotiation):
    """Whatever a client accepts, it gets a status and perhaps a line."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser:
        parser: BaseParser = parsers[0]
        return parser

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> tuple[Any, str]:
        return renderers[0], renderers[0].media_type


class MessageView(APIView):
    """`/shapeshifter/api/v<major>/message`. The signature is what authenticates a sender."""

    http_method_names = ["post"]
    authentication_classes = []
    permission_classes = []
    throttle_classes = []
    parser_classes = [SignedMessageParser]
    renderer_classes = [LineRenderer]
    content_negotiation_class = NoNegotiation
    claimed: tuple[str, str] | None = None
    ends = b""
    """What has been read of the body, as far as it says whose it is."""

    def post(self, request: Request, major: int) -> HttpResponse:
        """200 with an empty body once the message is durably stored."""
        try:
            large = check_headers(request) > LARGE
        except Refused as refused:
            if refused.status_code == 400:
                self.ends = request._request.read(ENDS)
            raise
        count_request(request.META.get("REMOTE_ADDR", ""), time.time())
        if large and not _one_large.acquire(timeout=LARGE_WAIT):
            raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
        try:
            signed = cast(SignedMessage, request.data)
            self.claimed = signed.sender_role, signed.sender_domain
            receipt = take(signed, major, clock.now())
        finally:
            if large:
                _one_large.release()
        tasks.wake_inbox(receipt.sender_id)
        return HttpResponse(status=200)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        """The status and the one line of a refusal; never more about an error of ours than that there is one.

        What was refused, from where and in whose name it came, is in the log; staff see it too where it is kept.
        """
        if isinstance(exc, Refused):
            return self._refuse(exc)
        if isinstance(exc, MethodNotAllowed):
            return line_of(405, "POST a SignedMessage here")
        if isinstance(exc, DatabaseError | InterfaceError):
            logger.error("A message was not taken for trouble with the database: %s", exc)
        else:
            logger.exception("A message was not taken for an error of ours.", exc_info=exc)
        return line_of(503, "the CRO is in trouble: send the message again later", RETRY_SECONDS)

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
            while time.monotonic() < ends and (piece := self.request._request.read(PIECE)):
                self.ends = (self.ends or piece[:ENDS])[:ENDS] + piece[-ENDS:]


def take(signed: SignedMessage, major: int, now: datetime) -> Receipt:
    """Verify, validate and store a message. Raises Refused, and Django's database errors."""
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
    return _store(signed, content, header, major, lookup, now)


def _store(
    signed: SignedMessage, content: bytes, header: Header, major: int, lookup: KeyLookup, now: datetime
) -> Receipt:
    """Store the message and what its arrival says about its sender; have a copy's answer sent again."""
    role, domain = signed.sender_role, signed.sender_domain
    if lookup.participant is None and admission.current_mode() == Mode.OPEN:
        with transaction.atomic():
            admission.record_first_contact(role, domain, _proving(signed.body, lookup.keys), now)
    receipt = inbox.receive(
        role=role,
        domain=domain,
        sealed=signed.body,
        content=content,
        header=header,
        major=major,
        received_at=now,
    )
    if lookup.participant is not None:
        admission.record_heard(lookup.participant, now)
    if receipt.copy:
        for recipient in outbox.answer_copy(receipt.inbound_id, now):
            tasks.wake_outbox(*recipient)
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
