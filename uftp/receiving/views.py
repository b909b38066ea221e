"""The message endpoint. It stores a posted message, or refuses the request (docs/protocol-support.md, "Receiving")."""

from collections.abc import Callable
from datetime import datetime
from typing import IO, Any, NoReturn, cast

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from common import clock
from participants import admission
from participants.models import Mode
from uftp.delivery import outbox
from uftp.protocol.messages import SignedMessage
from uftp.protocol.parsing import InvalidXML
from uftp.receiving import inbox
from uftp.receiving.authentication import (
    AuthenticatedSender,
    KeysLookedUpAhead,
    KeysNeeded,
    SealAuthentication,
    remember,
    verify,
)
from uftp.receiving.exceptions import Refused, answer_exception
from uftp.receiving.http_checks import check_headers
from uftp.receiving.inbox import Receipt, VerifiedMessage
from uftp.receiving.large_bodies import LARGE, one_at_a_time, read_into_file
from uftp.receiving.parsers import SignedMessageParser
from uftp.receiving.refusals import SAMPLE_BYTES, claimed_sender, ends_of
from uftp.receiving.requests import MessageRequest
from uftp.receiving.schema_checks import check_message
from uftp.receiving.throttling import AddressThrottle
from uftp.wakeups import wakeups

SET_ASIDE_RETRY_SECONDS = 900
"""After so many seconds the sender of a message that is set aside may ask again. Staff need some time."""


class MessageView(APIView):
    """The view of `/shapeshifter/api/v<major>/message`. Senders are authenticated by their seal."""

    http_method_names = ["post"]
    parser_classes = (SignedMessageParser,)
    authentication_classes = (SealAuthentication,)
    throttle_classes = (AddressThrottle,)
    default_response_headers: dict[str, str] = {}
    """Empty, because REST framework would add Allow to every response."""

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> MessageRequest:
        """Wrap the request. Nothing of its body is read yet."""
        return MessageRequest(request, parsers=self.get_parsers(), authenticators=self.get_authenticators())

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the method, the headers and the throttle before the body is read.

        REST framework would authenticate here. That reads the body, so it is done in `post`. Large bodies are received
        one at a time there.
        """
        if request.method != "POST":
            self.http_method_not_allowed(request)
        try:
            self.length = check_headers(request)
        except Refused as refused:
            if refused.status_code == 400:
                refused.body_sample = request.read(SAMPLE_BYTES)
            raise
        self.check_throttles(request)

    def throttled(self, request: Request, wait: float) -> NoReturn:
        """Refuse a request above the limit of its address."""
        raise Refused(429, "too many requests from this address", retry_after=int(wait))

    def post(self, request: MessageRequest, major: int) -> HttpResponse:
        """Return 200 with an empty body once the message is durably stored."""
        if self.length > LARGE:
            receipt = self._receive_large(request, major)
        else:
            try:
                sender = cast(AuthenticatedSender, request.user)
                receipt = receive(request.data, sender, cast(bytes, request.auth), major)
            finally:
                request.forget_body()
        wakeups.wake_inbox(receipt.sender_id)
        return HttpResponse(status=200, headers={"Content-Length": "0"})

    def _receive_large(self, request: MessageRequest, major: int) -> Receipt:
        """Receive a large body: read it, look up its keys, and do all the rest alone.

        Which keys are needed is sure only after parsing, and newer ones may be needed after that. Then the lock is
        released for the look-up, and the body is parsed again.
        """
        with read_into_file(request.stream, self.length) as body:
            now = clock.now()
            keys = KeysLookedUpAhead(now)
            keys.guess(claimed_sender(ends_of(body)))
            while True:
                try:
                    with one_at_a_time():
                        return self._receive_alone(request, body, keys, now, major)
                except KeysNeeded as needed:
                    question = needed.question
                keys.look_up(*question)  # after the exception is gone, which keeps the message in memory

    @staticmethod
    def _receive_alone(
        request: MessageRequest, body: IO[bytes], keys: KeysLookedUpAhead, now: datetime, major: int
    ) -> Receipt:
        """Parse a large body, and validate and store the message. Raises KeysNeeded, or what `receive` raises."""
        body.seek(0)
        (parser,) = request.parsers or ()
        signed = cast(SignedMessage, parser.parse(body, None, {"request": request}))
        sender, content = verify(signed, now, keys.find)
        return receive(signed, sender, content, major)

    def get_exception_handler(self) -> Callable[..., Any]:
        """Return the handler that answers with one plain line."""
        return answer_exception


def receive(signed: SignedMessage, sender: AuthenticatedSender, content: bytes, major: int) -> Receipt:
    """Validate and store a message whose sender is authenticated.

    Raises:
        Refused: 400; 401 or 419 if a cached key is no longer valid; 503 for a copy of a message that is set aside.
        DatabaseError, InterfaceError: The message could not be stored.
    """
    if sender.cached:
        receipt = _store_with_cached_key(signed.body, sender, content, major)
        if receipt is not None:
            return receipt
        sender, content = verify(signed, sender.at)
    try:
        message = _verified_message(signed.body, sender, content, major)
    except InvalidXML as wrong:
        claimed = sender.role, sender.domain
        raise Refused(400, f"Body: {wrong}", claimed=claimed, content=content) from None
    return _store(message, sender)


def _verified_message(
    sealed: bytes, sender: AuthenticatedSender, content: bytes, major: int
) -> VerifiedMessage:
    """Validate the content. Raises InvalidXML."""
    return VerifiedMessage(
        role=sender.role,
        domain=sender.domain,
        sealed=sealed,
        content=content,
        header=check_message(content, major),
        major=major,
        received_at=sender.at,
    )


def _store_with_cached_key(
    sealed: bytes, sender: AuthenticatedSender, content: bytes, major: int
) -> Receipt | None:
    """Store a message in one statement, which confirms the cached key.

    Return None, with nothing stored, if this is not possible: see `inbox.store_with_key`.
    """
    try:
        receipt = inbox.store_with_key(_verified_message(sealed, sender, content, major), sender.key)
    except (InvalidXML, DatabaseError, InterfaceError):
        return None
    if receipt is not None and sender.participant is not None:
        admission.record_last_heard(sender.participant, sender.at)
    return receipt


def _store(message: VerifiedMessage, sender: AuthenticatedSender) -> Receipt:
    """Store the message, register or update its sender, and send the response again if the message is a copy."""
    if sender.participant is None:
        _admit_newcomer(sender)
    receipt = inbox.store(message)
    if sender.participant is not None:
        admission.record_last_heard(sender.participant, sender.at)
        remember(sender)
    if receipt.set_aside:
        # The message may have ended workers, so only staff let it be handled again. Until then nobody may think that
        # it is accepted.
        raise Refused(
            503,
            "this message could not be handled and is with the CRO's staff, who will see to it: "
            "it is answered when they release it",
            retry_after=SET_ASIDE_RETRY_SECONDS,
        )
    if receipt.copy:
        for recipient in outbox.resend_response(receipt.inbound_id, sender.at):
            wakeups.wake_outbox(*recipient)
    return receipt


def _admit_newcomer(sender: AuthenticatedSender) -> None:
    """Register a new sender in open mode; in closed mode, check that its message may be stored.

    Raises:
        Refused: There are too many such senders (419).
    """
    try:
        if admission.current_mode() == Mode.OPEN:
            admission.record_first_contact(sender.role, sender.domain, sender.key, sender.at)
        else:
            inbox.check_room_of(sender.role, sender.domain)
    except admission.TooManyDiscovered as full:
        line = f"{full}: ask its staff to register {sender.role} {sender.domain}"
        raise Refused(419, line, claimed=(sender.role, sender.domain)) from None
