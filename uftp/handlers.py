"""The handlers of message types, and the values that they get and return.

Each app registers its handlers in its `apps.py`. This app imports none of them.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings

from participants.models import Participant
from uftp.models import InboundMessage
from uftp.protocol.messages import Metadata
from uftp.protocol.parsing import Header

T = TypeVar("T")

Party = tuple[str, str]
"""Role and domain of a participant."""


class LookUpFirst(Exception):
    """Handling needs an answer from outside the database, such as from DNS. See `Incoming.look_up`."""

    def __init__(self, question: Hashable, ask: Callable[[], object]) -> None:
        self.question, self.ask = question, ask
        super().__init__(f"{question} is to be looked up before the message is handled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message for its handler.

    Attributes:
        inbound: The stored message.
        sender: The participant in whose name the envelope was sealed. It may act. Only a `rejected_fields` function
            also gets other senders. One that is not registered is an unsaved Participant.
        header: The root element.
        metadata: The attributes that all messages have. If the TimeStamp is not a moment of the calendar,
            `time_stamp` is `received_at`. Only a `rejected_fields` function gets such a message.
        content: The inner XML.
        received_at: The moment of the receipt.
        answers: The answers that were looked up for this message, by question. Handlers use `look_up`.
    """

    inbound: InboundMessage
    sender: Participant
    header: Header
    metadata: Metadata
    content: bytes
    received_at: datetime
    answers: Mapping[Hashable, Any] = field(default_factory=dict)

    def look_up(self, question: Hashable, ask: Callable[[], T]) -> T:
        """Return the answer of `ask`, which is called outside of a transaction.

        A look-up can take seconds, and the handler's transaction locks the sender's row. So the first call for a
        `question` rolls this transaction back. Then `ask` is called, and the message is handled again from the
        start. Now the call returns the answer. The handler must ask the same `question` again.

        Raises:
            LookUpFirst: There is no answer yet. The handler must not catch it.
        """
        if question not in self.answers:
            raise LookUpFirst(question, ask)
        answer: T = self.answers[question]
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a message that is accepted.

    Attributes:
        warnings: The texts of the warnings in the response.
        fields: The fields of the response's dataclass that not all responses have.
        answered_by: The participant that answers instead of this CRO, such as the recipient to whom the message is
            passed on. Then no response is stored.
        also_deliver_to: Other parties for whom messages were stored. They are delivered after the commit.
    """

    warnings: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    answered_by: str = ""
    also_deliver_to: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PassOnResult:
    """The result of passing on a message to one recipient.

    Attributes:
        inbound: The message that was passed on.
        recipient_role: The role of the recipient.
        recipient_domain: The domain of the recipient.
        delivered: Whether the recipient's system confirmed it.
        expired: Whether it was not delivered in time. If it is neither delivered nor expired, the recipient's system
            refused it permanently.
        at: The present moment on the CRO's clock.
        endpoint: The URL that it was posted to. Empty if it was never posted.
        detail: The reply, such as `HTTP 200` or `HTTP 400: …`.
    """

    inbound: InboundMessage
    recipient_role: str
    recipient_domain: str
    delivered: bool
    expired: bool
    at: datetime
    endpoint: str
    detail: str


class Rejection(Exception):
    """The whole message is rejected for these reasons, and nothing of it is registered."""

    def __init__(self, reasons: Iterable[str] | str) -> None:
        self.reasons = [reasons] if isinstance(reasons, str) else [str(reason) for reason in reasons]
        super().__init__("; ".join(self.reasons))


def this_cro(recipient_domain: str) -> bool:
    """Return whether `recipient_domain` is the domain of this CRO."""
    return recipient_domain == settings.CRO_DOMAIN


def no_fields(incoming: Incoming) -> Mapping[str, Any]:
    """Return no fields, for a Rejected response that has only the common ones."""
    return {}


def ignore_pass_on_result(passed: PassOnResult) -> Iterable[Party]:
    """Ignore the result of passing on a message."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """The registration of one message type. See `register`."""

    roles: frozenset[str]
    handle: Callable[[Incoming], Outcome]
    rejected_fields: Callable[[Incoming], Mapping[str, Any]]
    accepts_recipient: Callable[[str], bool]
    on_passed_on: Callable[[PassOnResult], Iterable[Party]]

    def passes_on(self, recipient_domain: str) -> bool:
        """Return whether a message to `recipient_domain` may be passed on to it."""
        return self.on_passed_on is not ignore_pass_on_result and not this_cro(recipient_domain)


_handlers: dict[str, Handler] = {}


def register(
    message_type: str,
    *,
    role: str | Iterable[str],
    handle: Callable[[Incoming], Outcome],
    rejected_fields: Callable[[Incoming], Mapping[str, Any]] = no_fields,
    accepts_recipient: Callable[[str], bool] = this_cro,
    on_passed_on: Callable[[PassOnResult], Iterable[Party]] = ignore_pass_on_result,
) -> None:
    """Register the handler of a message type.

    A type whose name ends in `Response` may be registered too. It is handled and never answered.

    Args:
        message_type: The name of the message type.
        role: The role, or the roles, whose messages are handled.
        handle: Handles a message from a sender that may act. It runs in the transaction that stores the response. To
            reject the message it raises Rejection or uftp.protocol.parsing.UnusableValue. Any exception rolls back
            all that it wrote. It must not wait for anything outside the database, such as DNS: `Incoming.look_up`
            does that.
        rejected_fields: Returns the further fields that the response's dataclass needs in a Rejected response,
            whatever the reasons are. It must not fail on unusable values, and must not call `Incoming.look_up`.
        accepts_recipient: Returns whether the message may have this RecipientDomain.
        on_passed_on: Called once for each recipient to whom `handle` passes the message on
            (uftp/delivery/forwarding.py), in the transaction that records it as delivered or given up. Returns the
            parties for whom messages were stored; they are delivered after the commit. If it raises, nothing is
            recorded, and it is called again later without another POST. Like `handle`, it must not wait for anything
            outside the database; it has no `Incoming`, so nothing can be looked up for it.

    Raises:
        ValueError: `message_type` has a handler already.
    """
    if message_type in _handlers:
        raise ValueError(f"{message_type} has a handler already")
    _handlers[message_type] = Handler(
        roles=frozenset({role} if isinstance(role, str) else role),
        handle=handle,
        rejected_fields=rejected_fields,
        accepts_recipient=accepts_recipient,
        on_passed_on=on_passed_on,
    )


def handler_for(message_type: str) -> Handler | None:
    """Return the handler of `message_type`, or None."""
    return _handlers.get(message_type)
