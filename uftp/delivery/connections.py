"""Connections to outsiders: pools, the address guard, and one deadline for everything that a POST does.

`send` makes one request. Redirects and credentials are in uftp/delivery/http_client.py.
"""

import base64
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import certifi
import httpcore
from django.conf import settings

from participants.certificates import load_into
from participants.credentials import ClientCertificate
from participants.endpoints import EndpointRefused, check_endpoint, check_resolved_address
from uftp.delivery.masking import masked

CONNECT_SECONDS = 10.0

KEEPALIVE_SECONDS = 4.0
"""Seconds for which an idle connection is kept. Many servers close one after 5 seconds."""

MAX_IDLE = 100
"""Maximum number of idle connections of a pool."""

MAX_POOLS = 500
"""Maximum number of pools. There is one for all participants, and one for each client certificate."""

_WRITE_BYTES = 1 << 18


class NoReply(Exception):
    """There was no reply, which is a temporary failure. The message is one line that says why."""


@dataclass(frozen=True, slots=True)
class Response:
    """A response: its status, its headers in lower case, and the beginning of its body.

    `reposted` says that the request was sent again, because a reused connection ended without a response. So the
    recipient may have got the request twice.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    reposted: bool = False


class _Exchange(threading.local):
    """What the request of this thread has done so far."""

    deadline: float | None = None
    connected = False
    received = False


_exchange = _Exchange()


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let everything that this thread sends and receives inside the `with` block end after `seconds`."""
    _exchange.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _exchange.deadline = None


def seconds_left() -> float:
    """Return the seconds that are left until the deadline of this thread, or CONNECT_SECONDS without one."""
    return CONNECT_SECONDS if _exchange.deadline is None else _exchange.deadline - time.monotonic()


def _remaining(timeout: float | None, error: type[Exception]) -> float:
    """Return the seconds that the request of this thread may still take, at most `timeout`."""
    left = seconds_left()
    if left <= 0:
        raise error("the time for this POST is over")
    return left if timeout is None else min(left, timeout)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose reads and writes end at the deadline of their request, even if bytes arrive slowly."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _remaining(timeout, httpcore.ReadTimeout))
        _exchange.received = _exchange.received or bool(data)
        return data

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


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses of a host name. If `guarded`, only to allowed ones, checked after the look-up."""

    def __init__(self, *, guarded: bool) -> None:
        self._network = httpcore.SyncBackend()
        self._guarded = guarded

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        _exchange.connected = True
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _addresses(host, port, guarded=self._guarded):
            try:
                within = _remaining(timeout, httpcore.ConnectTimeout)
                stream = self._network.connect_tcp(address, port, within, local_address, socket_options)
                return _TimedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _addresses(host: str, port: int, *, guarded: bool) -> list[str]:
    """Return the addresses of `host`. If `guarded`, all of them must be allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} has no address: {error}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses if guarded else ():
        check_resolved_address(address)
    return addresses


@lru_cache(maxsize=MAX_POOLS)
def _pool(proxy: str, certificate: ClientCertificate | None, max_idle: int) -> httpcore.ConnectionPool:
    """Return the pool for a proxy and a client certificate. Its connections are used for nothing else."""
    context = _tls()
    if certificate is not None:
        load_into(context, certificate.chain, certificate.key)
    return httpcore.ConnectionPool(
        ssl_context=context,
        proxy=_proxy(proxy) if proxy else None,
        network_backend=_Network(guarded=not proxy),
        max_connections=None,
        max_keepalive_connections=max_idle,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def _proxy(url: str) -> httpcore.Proxy:
    """Return the proxy of OUTBOUND_PROXY. User and password in the URL are percent-encoded."""
    parts = urlsplit(url)
    user = _proxy_user(url) if parts.username else None
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return httpcore.Proxy(address, auth=user, ssl_context=_tls() if parts.scheme == "https" else None)


def _proxy_user(url: str) -> tuple[str, str]:
    """Return user and password of OUTBOUND_PROXY, each empty if it has none."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def send(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    max_bytes: int,
    certificate: ClientCertificate | None = None,
) -> Response:
    """Send one request, inside `deadline`.

    A reused connection may have been closed by the other side just before. If it ends before the first byte of a
    response, the request is sent again at once on a new connection. Otherwise nothing is sent again.

    Args:
        method: The HTTP method.
        url: The URL. The address guard checks it, and every address of its host.
        body: The body. Empty for none.
        headers: The headers, without Content-Length.
        max_bytes: How much of the response's body is read.
        certificate: The client certificate that is offered.

    Raises:
        NoReply: There was no response. The URL or its address is not allowed, there was no connection, no response
            in time, or the response was not HTTP.
    """
    proxy: str = settings.OUTBOUND_PROXY
    try:
        check_endpoint(url)
        if proxy:
            # The proxy connects, so the address is judged here and not when connecting.
            parts = urlsplit(url)
            _addresses(parts.hostname or "", parts.port or 443, guarded=True)
        try:
            return _send(_pool(proxy, certificate, MAX_IDLE), method, url, body, headers, max_bytes)
        except (httpcore.RemoteProtocolError, httpcore.NetworkError):
            if _exchange.connected or _exchange.received:
                raise
        again = _send(_pool(proxy, certificate, 0), method, url, body, headers, max_bytes)
        return replace(again, reposted=True)
    except EndpointRefused as refused:
        raise _no_reply(str(refused)) from refused
    except httpcore.ProxyError as error:
        raise _no_reply(f"ProxyError: the outbound proxy did not connect: {error}") from error
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise _no_reply(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    except (httpcore.UnsupportedProtocol, OSError, ValueError) as error:
        raise _no_reply(f"{type(error).__name__}: {error}") from error


def _no_reply(text: str) -> NoReply:
    """Return the error of a request, without the credentials of the outbound proxy."""
    user, password = _proxy_user(settings.OUTBOUND_PROXY)
    return NoReply(masked(text, (password, base64.b64encode(f"{user}:{password}".encode()).decode())))


def _send(
    pool: httpcore.ConnectionPool,
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    max_bytes: int,
) -> Response:
    _exchange.connected = _exchange.received = False
    seconds = max(seconds_left(), 0.0)
    timeouts = {"connect": min(CONNECT_SECONDS, seconds), "read": seconds, "write": seconds, "pool": seconds}
    lines: dict[bytes | str, bytes | str] = {"User-Agent": "uftp-cro"}
    lines.update(headers.items())
    if body:
        lines["Content-Length"] = str(len(body))
    with pool.stream(
        method, url, headers=lines, content=body or None, extensions={"timeout": timeouts}
    ) as response:
        names = {
            name.decode("ascii", "replace").lower(): value.decode("latin-1").strip()
            for name, value in reversed(response.headers)
        }
        return Response(response.status, names, _beginning(response, max_bytes))


def _beginning(response: httpcore.Response, max_bytes: int) -> bytes:
    beginning = b""
    with contextlib.suppress(httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError):
        for piece in response.iter_stream():
            beginning += piece
            if len(beginning) >= max_bytes:
                break
    return beginning[:max_bytes]
