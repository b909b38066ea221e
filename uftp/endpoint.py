"""The door: a POST becomes a stored message, or is refused with a status (docs/protocol-support.md, Receiving)."""

import contextlib
import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import IO, Any, cast

from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from participants import admission, clock
from participants.admission import KeyLookup
from participants.discovery import DiscoveryFailed
from participants.models import Mode
from uftp import inbox, outbox, tasks
from uftp.inbox import Receipt
from uftp.messages import SignedMessage
from uftp.parsing import Header, InvalidXML, check, open_envelope
from uftp.sealing import BadSignature, unseal

logger = logging.getLogger(__name__)

LARGE = 4_000_000
"""Bytes from which on bodies are opened one at a time, so that several cannot fill the memory together."""

LARGE_WAIT = 20.0  # seconds
PLAIN = "text/plain; charset=utf-8"
DISCARD_SECONDS = 5.0
RETRY_SECONDS = 10
_PIECE = 1 << 20
_LONGEST_LINE = 500

_one_large = threading.Lock()


class Refused(APIException):
    """The request is refused at the door: a status, and one line saying why."""

    def __init__(self, status: int, line: str, *, retry_after: int | None = None) -> None:
        super().__init__(line)
        self.status_code = status
        self.line = " ".join(line.split())[:_LONGEST_LINE]
        self.retry_after = retry_after


class SignedMessageParser(BaseParser):
    """Reads the body, whose length was checked before, and opens the envelope."""

    media_type = "text/xml"

    def parse(  # type: ignore[override]
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> SignedMessage:
        body = _read(stream, int((parser_context or {})["request"].META["CONTENT_LENGTH"]))
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
    claimed_sender = "an unknown sender"

    def post(self, request: Request, major: int) -> HttpResponse:
        """200 with an empty body once the message is durably stored."""
        large = check_headers(request) > LARGE
        count_request(request.META.get("REMOTE_ADDR", ""), time.time())
        if large and not _one_large.acquire(timeout=LARGE_WAIT):
            raise Refused(503, "busy with other large messages", retry_after=RETRY_SECONDS)
        try:
            signed = cast(SignedMessage, request.data)
            self.claimed_sender = f"{signed.sender_role} {signed.sender_domain}"
            receipt = take(signed, major, clock.now())
        finally:
            if large:
                _one_large.release()
        tasks.wake_inbox(receipt.sender_id)
        return HttpResponse(status=200)

    def handle_exception(self, exc: Exception) -> HttpResponseBase:  # type: ignore[override]
        """The status and the one line of a refusal; never more about an error of ours than that there is one.

        What was refused, from where and in whose name it came, is in the log: there is no other trace of it.
        """
        if isinstance(exc, Refused):
            address = self.request.META.get("REMOTE_ADDR", "")
            logger.warning(
                "Refused with %s, from %s at %s: %s", exc.status_code, self.claimed_sender, address, exc.line
            )
        if isinstance(exc, Refused) and exc.status_code == 413:
            line = f"{exc.line}\n"
            headers = {"Content-Length": str(len(line))}
            return StreamingHttpResponse(
                _line_then_discard(self.request, line), status=413, content_type=PLAIN, headers=headers
            )
        if isinstance(exc, Refused):
            return _line(exc.status_code, exc.line, exc.retry_after)
        if isinstance(exc, MethodNotAllowed):
            return _line(405, "POST a SignedMessage here")
        if isinstance(exc, DatabaseError | InterfaceError):
            logger.error("A message was not taken for trouble with the database: %s", exc)
        else:
            logger.exception("A message was not taken for an error of ours.", exc_info=exc)
        return _line(503, "the CRO is in trouble: send the message again later", RETRY_SECONDS)


def check_headers(request: Request) -> int:
    """The length of the body in bytes, where what the headers say about it is acceptable. Raises Refused."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not re.fullmatch(r"[0-9]{1,18}", length):
        raise Refused(411, "a Content-Length is required")
    media_type, *parameters = (
        part.strip().lower() for part in request.META.get("CONTENT_TYPE", "").split(";")
    )
    if media_type != "text/xml":
        raise Refused(400, "Content-Type: must be text/xml")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in {"utf-8", "utf8"}:
            raise Refused(400, "Content-Type: the charset must be UTF-8")
    if request.META.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() not in {"", "identity"}:
        raise Refused(400, "Content-Encoding: must be absent")
    if int(length) > settings.UFTP_MAX_MESSAGE_BYTES:
        raise Refused(
            413, f"{length} bytes are too many: at most {settings.UFTP_MAX_MESSAGE_BYTES} are taken"
        )
    if int(length) == 0:
        raise Refused(400, "SignedMessage: the body is empty")
    return int(length)


def _line_then_discard(request: Request, line: str) -> Iterator[bytes]:
    """The refusal; then what the client is still sending is read and not kept, or it would never read its refusal.

    Gives up on clients that send for long.
    """
    yield line.encode()
    ends = time.monotonic() + DISCARD_SECONDS
    with contextlib.suppress(OSError):
        while time.monotonic() < ends and request._request.read(_PIECE):
            pass


def count_request(address: str, at: float) -> None:
    """Count a request from `address` at the Unix time `at`. Raises Refused (429) beyond the limit of a minute.

    Each web process counts for itself.
    """
    minute, second = divmod(int(at), 60)
    key = f"uftp:requests:{address}:{minute}"
    cache.add(key, 0, timeout=120)
    try:
        count = cache.incr(key)
    except ValueError:
        return
    if count > settings.UFTP_REQUESTS_PER_MINUTE:
        raise Refused(429, "too many requests from this address", retry_after=60 - second)


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
        raise Refused(400, f"Body: {wrong}") from None
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


def _read(stream: IO[Any] | HttpRequest, length: int) -> bytes:
    """`length` bytes of the request's body, or what there is of it."""
    body: bytes = stream.read(length)
    if len(body) == length:
        return body
    pieces = [body]
    missing = length - len(body)
    while missing and (piece := stream.read(min(missing, _PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise Refused(400, f"the body ends {missing} bytes before its Content-Length")
    return b"".join(pieces)


def _line(status: int, line: str, retry_after: int | None = None) -> HttpResponse:
    response = HttpResponse(f"{line}\n", status=status, content_type=PLAIN)
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if status == 405:
        response["Allow"] = "POST"
    return response
