"""What is demanded of a request before anything in it is believed, and the lines in which it is refused."""

import re
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

PLAIN = "text/plain; charset=utf-8"
PIECE = 1 << 20
ENDS = 4096
"""Bytes at both ends of a body in which it says whose it is: the large attribute is the one between."""

_LONGEST_LINE = 500
_CLAIMED_DOMAIN = re.compile(rb"SenderDomain\s*=\s*[\"']([a-z0-9.-]{1,253})[\"']")
_CLAIMED_ROLE = re.compile(rb"SenderRole\s*=\s*[\"']([A-Z]{3})[\"']")


class Refused(Exception):
    """The request is refused at the door: a status, and one line saying why.

    `content` is the inner XML, where the signature over it verified.
    """

    def __init__(
        self, status: int, line: str, *, retry_after: int | None = None, content: bytes | None = None
    ) -> None:
        super().__init__(line)
        self.status_code = status
        self.line = " ".join(line.split())[:_LONGEST_LINE]
        self.retry_after = retry_after
        self.content = content


class Line(HttpResponse):
    """A status with a line. What is to be done about it afterwards keeps nobody waiting for it."""

    afterwards: Callable[[], None] | None = None

    def close(self) -> None:
        if self.afterwards is not None:
            self.afterwards()
        super().close()


class LineThenDiscard(StreamingHttpResponse):
    """The same, while what is still being sent is read and not kept."""

    afterwards: Callable[[], None] | None = None

    def close(self) -> None:
        if self.afterwards is not None:
            self.afterwards()
        super().close()


def check_headers(request: HttpRequest) -> int:
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


def read_body(stream: HttpRequest, length: int) -> bytes:
    """`length` bytes of the request's body, or what there is of it."""
    body: bytes = stream.read(length)
    if len(body) == length:
        return body
    pieces = [body]
    missing = length - len(body)
    while missing and (piece := stream.read(min(missing, PIECE))):
        pieces.append(piece)
        missing -= len(piece)
    if missing:
        raise Refused(400, f"the body ends {missing} bytes before its Content-Length")
    return b"".join(pieces)


def claimed_in(ends: bytes) -> tuple[str, str] | None:
    """The role and domain that an envelope names in what was read of it; None where it does not say so plainly."""
    role, domain = _CLAIMED_ROLE.search(ends), _CLAIMED_DOMAIN.search(ends)
    return (role[1].decode(), domain[1].decode()) if role and domain else None


def line_of(status: int, line: str, retry_after: int | None = None) -> Line:
    response = Line(f"{line}\n", status=status, content_type=PLAIN)
    response["Content-Length"] = str(len(response.content))
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if status == 405:
        response["Allow"] = "POST"
    return response
