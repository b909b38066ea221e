"""The HTTP client. A POST goes only to checked addresses, ends within its time, and follows no redirect."""

import contextlib
import email.utils
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

import certifi
import httpcore

from participants.endpoints import EndpointRefused, check_endpoint, check_resolved_address

CONNECT_SECONDS = 10.0
MAX_REPLY_BYTES = 2000
MAX_RETRY_AFTER = 7 * 86400.0  # seconds
_WRITE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: the HTTP status, the beginning of the body, and Retry-After in seconds."""

    status: int
    text: str
    retry_after: float | None


class NoReply(Exception):
    """There was no reply, which is a temporary failure. The message is one line that says why."""


_deadlines = threading.local()


def _remaining(timeout: float | None, error: type[Exception]) -> float:
    """Return the seconds that the POST of this thread may still take, at most `timeout`."""
    left: float = getattr(_deadlines, "at", time.monotonic() + CONNECT_SECONDS) - time.monotonic()
    if left <= 0:
        raise error("the time for this POST is over")
    return left if timeout is None else min(left, timeout)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of their POST, even if bytes arrive slowly."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        view = memoryview(buffer)
        for start in range(0, len(view), _WRITE_BYTES):
            piece = view[start : start + _WRITE_BYTES].tobytes()
            self._stream.write(piece, _remaining(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        timeout = _remaining(timeout, httpcore.ConnectTimeout)
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _CheckedNetwork(httpcore.NetworkBackend):
    """Connects only to addresses that are checked after the host name is resolved."""

    def __init__(self) -> None:
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} has no address: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            check_resolved_address(address)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                within = _remaining(timeout, httpcore.ConnectTimeout)
                stream = self._network.connect_tcp(address, port, within, local_address, socket_options)
                return _TimedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


@cache
def _connections() -> httpcore.ConnectionPool:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return httpcore.ConnectionPool(
        ssl_context=context,
        network_backend=_CheckedNetwork(),
        max_connections=None,
        max_keepalive_connections=100,
        keepalive_expiry=15,
    )


def post(url: str, body: bytes, *, seconds: float) -> Reply:
    """POST the SignedMessage `body` to `url`.

    Args:
        url: The endpoint.
        body: The SignedMessage.
        seconds: The time for everything, from the look-up of the host name to the beginning of the reply.

    Raises:
        NoReply: There was no reply. The URL or its address is not allowed, there was no connection, no reply in
            time, or the reply was not HTTP.
    """
    headers: dict[bytes | str, bytes | str] = {
        "Content-Type": "text/xml; charset=utf-8",
        "Content-Length": str(len(body)),
        "User-Agent": "uftp-cro",
    }
    timeouts = {"connect": min(CONNECT_SECONDS, seconds), "read": seconds, "write": seconds, "pool": seconds}
    with _deadline(seconds):
        try:
            check_endpoint(url)
            with _connections().stream(
                "POST", url, headers=headers, content=body, extensions={"timeout": timeouts}
            ) as response:
                return Reply(response.status, _beginning(response), _retry_after(response))
        except EndpointRefused as refused:
            raise NoReply(str(refused)) from refused
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise NoReply(f"{type(error).__name__}: {error}".rstrip(": ")) from error
        except (httpcore.UnsupportedProtocol, OSError, ValueError) as error:
            raise NoReply(f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    _deadlines.at = time.monotonic() + seconds
    try:
        yield
    finally:
        del _deadlines.at


def _beginning(response: httpcore.Response) -> str:
    beginning = b""
    with contextlib.suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for piece in response.iter_stream():
            beginning += piece
            if len(beginning) >= MAX_REPLY_BYTES:
                break
    return " ".join(beginning[:MAX_REPLY_BYTES].decode("utf-8", "replace").replace("\x00", "").split())


def _retry_after(response: httpcore.Response) -> float | None:
    """Return the seconds of Retry-After, in either of its two forms, or None without a valid one.

    The maximum is MAX_RETRY_AFTER.
    """
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            text = value.decode("ascii", "replace").strip()
            if text.isdigit():
                return min(float(text[:9]), MAX_RETRY_AFTER)
            try:
                until = email.utils.parsedate_to_datetime(text)
                until = until if until.tzinfo else until.replace(tzinfo=UTC)
                seconds = (until - datetime.now(UTC)).total_seconds()
            except (ValueError, TypeError, OverflowError):
                return None
            return min(max(0.0, seconds), MAX_RETRY_AFTER)
    return None
