"""A participant's endpoint on loopback: keeps what is posted to it, and answers as told."""

import base64
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree


@dataclass(frozen=True)
class Posted:
    """One POST that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def sealed(self) -> bytes:
        found = re.search(rb'Body="([^"]*)"', self.body)
        assert found, self.body[:200]
        return base64.b64decode(found[1])

    @property
    def content(self) -> bytes:
        """The inner XML."""
        return self.sealed[64:]

    @property
    def attributes(self) -> dict[str, str]:
        """The attributes of the inner XML's root."""
        return dict(ElementTree.fromstring(self.content).attrib)

    @property
    def message_type(self) -> str:
        return ElementTree.fromstring(self.content).tag


Reply = tuple[int, dict[str, str], bytes]
OK: Reply = (200, {}, b"")


class _Server(ThreadingHTTPServer):
    """A server that ends TLS, where it has a context, in the thread of the connection."""

    daemon_threads = True
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is not None:
            try:
                request = self.tls.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)
        if self.tls is not None:
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that the client has ended."""


class Receiver:
    """Answers 200 unless `reply`, called with each POST and how many came before it, says otherwise."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[Posted] = []
        self.reply: Callable[[Posted, int], Reply] = lambda posted, before: OK
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                posted = Posted(self.path, dict(self.headers.items()), body)
                with receiver._lock:
                    before = len(receiver.posts)
                    receiver.posts.append(posted)
                status, headers, answer = receiver.reply(posted, before)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.tls = tls
        self.port: int = self._server.server_address[1]
        host = "https://localhost" if tls else "http://127.0.0.1"
        self.url = f"{host}:{self.port}/shapeshifter/api/v3/message"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answers_to(self, message_id: str) -> list[Posted]:
        """The POSTs of responses whose reference names `message_id`."""
        return [posted for posted in list(self.posts) if message_id in reference(posted)]


def reference(posted: Posted) -> list[str]:
    """What a response says which message it answers."""
    own = {"MessageID", "ConversationID"}
    return [
        value for name, value in posted.attributes.items() if name.endswith("MessageID") and name not in own
    ]


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver(tls)
    try:
        yield receiver
    finally:
        receiver.stop()
