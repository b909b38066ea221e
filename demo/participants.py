"""The software of a DSO and of an AGR, built on `shapeshifter-uftp`, with an HTTP service each.

The demo and the interop tests share them. They listen on a free loopback port, make a key pair when they
start, and keep every message that they receive until somebody expects it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nacl.bindings import crypto_sign_keypair
from shapeshifter_uftp import ShapeshifterAgrService, ShapeshifterDsoService
from shapeshifter_uftp.service.base_service import snake_case
from shapeshifter_uftp.uftp import PayloadMessage, request_response_map

M = TypeVar("M", bound=PayloadMessage)

MESSAGE_PATH = "/shapeshifter/api/v3/message"
LOOPBACK = "127.0.0.1"

for variable in ("NO_PROXY", "no_proxy"):
    os.environ[variable] = ",".join(filter(None, [os.environ.get(variable), LOOPBACK, "localhost"]))


class NotReceivedError(Exception):
    """An expected message did not come in time. The text says what came instead."""


@dataclass(frozen=True, slots=True)
class Cro:
    """What a participant knows of its CRO: domain, public key (bare Base64) and message endpoint."""

    domain: str
    public_key: str
    endpoint: str

    @classmethod
    def at(cls, url: str, domain: str, public_key: str) -> Cro:
        """Return the CRO whose web server is at `url`; `public_key` is as it publishes it (`cs1.…`)."""
        return cls(domain, public_key.removeprefix("cs1."), url.rstrip("/") + MESSAGE_PATH)


class Mailbox:
    """The received messages, in order. Every thread may add messages and wait for them."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._messages: list[PayloadMessage] = []
        self._changed = threading.Condition()

    def put(self, message: PayloadMessage) -> None:
        with self._changed:
            self._messages.append(message)
            self._changed.notify_all()

    def expect(self, kind: type[M], conversation_id: str, within: float = 20.0) -> M:
        """Take out the oldest message of `kind` in that conversation, waiting `within` seconds at most.

        Raises NotReceivedError when none comes.
        """
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                for message in self._messages:
                    if isinstance(message, kind) and message.conversation_id == conversation_id:
                        self._messages.remove(message)
                        return message
                if not self._changed.wait(deadline - time.monotonic()):
                    came = ", ".join(map(describe, self._messages)) or "nothing"
                    raise NotReceivedError(
                        f"{self._owner} expected a {type_name(kind)} in conversation {conversation_id} "
                        f"within {within:g} s and has received {came}"
                    )

    def left(self) -> list[PayloadMessage]:
        """Return the messages that are not taken out yet."""
        with self._changed:
            return list(self._messages)


def _recording(service: type[Any]) -> type[Any]:
    """Return a `service` of the library whose handlers put each message into `self.mailbox`.

    It also accepts responses of the other role, since it gets them for a message of the wrong role.
    """

    def record(self: Any, message: PayloadMessage) -> None:
        self.mailbox.put(message)

    def answer_test_message(self: Any, message: PayloadMessage, sender_role: str) -> None:
        self.mailbox.put(message)
        service.process_test_message(self, message, sender_role)

    responses = list(request_response_map.values())
    handlers: dict[str, Any] = dict.fromkeys(service.__abstractmethods__, record)
    handlers |= {f"process_{snake_case(response.__name__)}": record for response in responses}
    handlers["process_test_message"] = answer_test_message
    handlers["acceptable_messages"] = [*service.acceptable_messages, *responses]
    return type(f"Recording{service.__name__}", (service,), handlers)


SERVICES = {"DSO": _recording(ShapeshifterDsoService), "AGR": _recording(ShapeshifterAgrService)}


@dataclass
class Participant:
    """A running DSO or AGR: it starts when it is created, and ends with `stop`."""

    role: str
    domain: str
    cro: Cro
    public_key: str = field(init=False)
    private_key: str = field(init=False, repr=False)
    endpoint: str = field(init=False)
    mailbox: Mailbox = field(init=False)
    others: list[Participant] = field(init=False, repr=False, default_factory=list)
    """Whose messages it can verify, and whom it can answer, besides the CRO."""

    def __post_init__(self) -> None:
        public, private = crypto_sign_keypair()
        self.public_key = "cs1." + b64encode(public).decode()
        self.private_key = b64encode(private).decode()
        self.mailbox = Mailbox(f"{self.role} {self.domain}")
        self._service = SERVICES[self.role](
            sender_domain=self.domain,
            signing_key=self.private_key,
            key_lookup_function=self._key_of,
            endpoint_lookup_function=lambda domain, role: self.cro.endpoint,
            host=LOOPBACK,
            port=0,
            path=MESSAGE_PATH,
        )
        self._service.mailbox = self.mailbox
        _quiet()
        self._service.run_in_thread()
        port = self._service.server.servers[0].sockets[0].getsockname()[1]
        self.endpoint = f"http://{LOOPBACK}:{port}{MESSAGE_PATH}"

    def _key_of(self, domain: str, role: str) -> str | None:
        known = {(other.domain, other.role): other.public_key.removeprefix("cs1.") for other in self.others}
        known[self.cro.domain, "CRO"] = self.cro.public_key
        return known.get((domain, role))

    def send(self, message: PayloadMessage, version: str = "3.1.0") -> None:
        """POST `message` to the CRO; the library fills in what is missing of its metadata.

        Raises the library's ClientTransportException, with the answer as `response`, unless it was 200.
        """
        client = self._service.cro_client(self.cro.domain, version)
        getattr(client, f"send_{snake_case(type(message).__name__)}")(message)

    def send_to(
        self, other: Participant, message: PayloadMessage, version: str = "3.1.0", *, by_the_cro: bool = False
    ) -> None:
        """POST `message`, addressed to `other`: to its own endpoint, or to the CRO's.

        As `send`; a message that was sent before keeps its MessageID.
        """
        client = getattr(self._service, f"{other.role.lower()}_client")(other.domain, version)
        client.recipient_endpoint = self.cro.endpoint if by_the_cro else other.endpoint
        getattr(client, f"send_{snake_case(type(message).__name__)}")(message)

    def expect(self, kind: type[M], to: PayloadMessage, within: float = 20.0) -> M:
        """Return the message of `kind` in the conversation of `to`; see Mailbox.expect."""
        return self.mailbox.expect(kind, str(to.conversation_id), within)

    def stop(self) -> None:
        self._service.stop()
        for executor in (self._service.inbound_executor, self._service.outbound_executor):
            executor.shutdown()


def _quiet() -> None:
    """Turn off the logs of the library and of its web server: they would print every message in full."""
    logging.getLogger("shapeshifter-uftp").setLevel(logging.CRITICAL + 1)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def type_name(kind: type[PayloadMessage]) -> str:
    """Return the protocol's name of a message type: `AGRPortfolioUpdate`."""
    meta = getattr(kind, "Meta", None)
    return str(getattr(meta, "name", None) or kind.__name__)


def describe(message: PayloadMessage) -> str:
    """Return a text such as `AGRPortfolioUpdateResponse Rejected: Unauthorized in conversation …`."""
    result = getattr(message, "result", None)
    reason = getattr(message, "rejection_reason", None)
    result_text = (f" {result}" if result else "") + (f": {reason}" if reason else "")
    return f"{type_name(type(message))}{result_text} in conversation {message.conversation_id}"
