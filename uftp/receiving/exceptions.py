"""Refused requests, and the exception handler that turns each exception into a response of one plain line."""

import contextlib
import logging
import time
from collections.abc import Iterator
from typing import Any

from django.db import DatabaseError, InterfaceError
from rest_framework.exceptions import APIException, MethodNotAllowed
from rest_framework.request import Request

from common import clock
from uftp.receiving import refusals, unknown_senders
from uftp.receiving.refusals import SAMPLE_BYTES
from uftp.receiving.responses import PLAIN, PlainResponse, PlainResponseThenDiscard, plain_response

logger = logging.getLogger(__name__)

PIECE = 1 << 20
DISCARD_SECONDS = 5.0
RETRY_SECONDS = 10

_LONGEST_LINE = 500


class Refused(APIException):
    """The request is refused: a status, and one line that says why.

    Args:
        status: The HTTP status.
        line: The reason, for the sender.
        retry_after: Seconds after which the sender may try again.
        claimed: Role and domain in the envelope, if it could be parsed.
        body_sample: The first and the last bytes of a body that could not be parsed.
        content: The inner XML, if its signature is verified.
    """

    def __init__(
        self,
        status: int,
        line: str,
        *,
        retry_after: int | None = None,
        claimed: tuple[str, str] | None = None,
        body_sample: bytes = b"",
        content: bytes | None = None,
    ) -> None:
        self.line = " ".join(line.split())[:_LONGEST_LINE]
        super().__init__(self.line)
        self.status_code = status
        self.retry_after = retry_after
        self.claimed = claimed
        self.body_sample = body_sample
        self.content = content


def answer_exception(
    exception: Exception, context: dict[str, Any]
) -> PlainResponse | PlainResponseThenDiscard:
    """Return the response to an exception: the status and line of a refused request, or 503.

    This is the exception handler of REST framework. The response says nothing about an internal error except that
    there is one. The log has each refused request with its address and the stated sender. Staff see those that are
    stored.
    """
    if isinstance(exception, Refused):
        return _refuse(exception, context["request"], context["kwargs"]["major"])
    if isinstance(exception, MethodNotAllowed):
        return plain_response(405, "POST a SignedMessage here")
    if isinstance(exception, DatabaseError | InterfaceError):
        logger.error("A message was not stored: the database failed: %s", exception)
    else:
        logger.error("A message was not stored: internal error.", exc_info=exception)
    return plain_response(503, "the CRO is in trouble: send the message again later", RETRY_SECONDS)


def _refuse(refused: Refused, request: Request, major: int) -> PlainResponse | PlainResponseThenDiscard:
    # Tracebacks refer to the response, and the response to the exception. This cycle would keep the body in memory.
    refused.__traceback__ = refused.__context__ = None
    address = request.META.get("REMOTE_ADDR", "")
    sender = " ".join(refused.claimed)[:_LONGEST_LINE] if refused.claimed else "an unknown sender"
    logger.warning("Refused with %s, from %s at %s: %s", refused.status_code, sender, address, refused.line)
    response: PlainResponse | PlainResponseThenDiscard
    if refused.status_code == 413:
        line = f"{refused.line}\n"
        response = PlainResponseThenDiscard(
            _respond_then_discard(line, refused, request),
            status=413,
            content_type=PLAIN,
            headers={"Content-Length": str(len(line))},
        )
    else:
        response = plain_response(refused.status_code, refused.line, refused.retry_after)
    if refused.status_code in refusals.STATUSES:
        response.afterwards = lambda: _record_refusal(refused, request, address, major)
    return response


def _respond_then_discard(line: str, refused: Refused, request: Request) -> Iterator[bytes]:
    """Yield the line, then read and discard the rest of the body: a client may not read before it has sent all.

    Stop after DISCARD_SECONDS.
    """
    yield line.encode()
    deadline = time.monotonic() + DISCARD_SECONDS
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and (piece := request.read(PIECE)):
            beginning = (refused.body_sample or piece)[:SAMPLE_BYTES]
            refused.body_sample = beginning + piece[-SAMPLE_BYTES:]


def _record_refusal(refused: Refused, request: Request, address: str, major: int) -> None:
    """Store the refused request for staff, if it names a sender. Count it if that has no key."""
    claimed = refused.claimed or refusals.claimed_sender(refused.body_sample)
    if claimed is None:
        return
    if refused.status_code == 419:
        unknown_senders.record(*claimed, address=address, line=refused.line, at=clock.now())
    refusals.record_refusal(
        refusals.RefusalRecord(
            at=clock.now(),
            address=address,
            role=claimed[0],
            domain=claimed[1],
            major=major,
            status=refused.status_code,
            line=refused.line,
            size=int(request.META.get("CONTENT_LENGTH") or 0),
            content=refused.content,
        )
    )
