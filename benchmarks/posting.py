"""Post over plain sockets. The sender is on the measured machine, so it does as little work as possible."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Sequence

from benchmarks.messages import Message

CONNECTIONS = 16
"""Kept open by the load generator; on each, the next request goes out as soon as the last is answered.

Message n goes out on connection n modulo CONNECTIONS: those of a sender that has one to itself arrive in their order.
"""

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)


class Failed(RuntimeError):
    """A request was not answered with 200."""


class Connection:
    """An HTTP connection that is kept open."""

    def __init__(self, port: int, timeout: float = 900.0) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, request: bytes) -> None:
        """Send `request` and read its answer. Raises Failed unless the status is 200."""
        self._socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = self._socket.recv(65_536)
            if not piece:
                raise Failed(f"the connection was closed: {answer[:200]!r}")
            answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        missing = (int(length[1]) if length else 0) - len(body)
        while missing > 0:
            piece = self._socket.recv(65_536)
            if not piece:
                raise Failed(f"the connection was closed: {head[:200]!r}")
            body += piece
            missing -= len(piece)
        if not head.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"{head[:200]!r} {body[:300]!r}")

    def close(self) -> None:
        self._socket.close()


def post(port: int, message: Message) -> None:
    """POST one message on a connection of its own. Raises Failed."""
    connection = Connection(port)
    try:
        connection.post(message.request)
    finally:
        connection.close()


def post_all(port: int, messages: Sequence[Message]) -> float:
    """POST `messages` as fast as they are answered, on CONNECTIONS connections; return the seconds. Raises Failed."""
    requests = [message.request for message in messages]
    connections = [Connection(port) for _ in range(min(CONNECTIONS, len(requests)))]
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for request in requests[number::CONNECTIONS]:
                if failures:
                    return
                connections[number].post(request)
        except Exception as failure:
            failures.append(failure)

    threads = [
        threading.Thread(target=work, args=[number], daemon=True) for number in range(len(connections))
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    for connection in connections:
        connection.close()
    if failures:
        raise failures[0]
    return seconds
