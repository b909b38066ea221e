"""Which function handles which message type, and what the two say to each other.

An app registers its handlers in its `apps.py`; this app knows none of them.
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
    """Handling needs an answer from outside the database, such as one from DNS; see `Incoming.look_up`."""

    def __init__(self, question: Hashable, ask: Callable[[], object]) -> None:
        self.question, self.ask = question, ask
        super().__init__(f"{question} is to be looked up before the message is handled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A message on its way to its handler.

    `sender` is the participant in whose name the envelope was sealed. A handler gets only participants that may act;
    `refused` functions also get one that is not in the database where the sender is none. `metadata` has
    `received_at` for a time stamp that no calendar holds; only `refused` functions meet it. `content` is the inner XML.
    `answers` holds what was looked up for this message; handlers use `look_up`.
    """

    inbound: InboundMessage
    sender: Participant
    header: Header
    metadata: Metadata
    content: bytes
    received_at: datetime
    answers: Mapping[Hashable, Any] = field(default_factory=dict)

    def look_up(self, question: Hashable, ask: Callable[[], T]) -> T:
        """Return what `ask` returned when it was called with no transaction open.

        A look-up can take seconds, and the handler's transaction holds the sender's row. So the first call for a
        `question` ends that transaction without a trace. Then `ask` is called, and the message is handled again from
        the start; this time the call returns the answer. The handler must ask the same `question` again.

        Raises:
            LookUpFirst: No answer is there yet. The handler must let it pass.
        """
        if question not in self.answers:
            raise LookUpFirst(question, ask)
        answer: T = self.answers[question]
        return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A message was accepted, with `warnings`; `fields` are those of the response's dataclass beyond the common.

    `answered_by` names who answers it instead of this CRO, such as the recipient that it is passed on to: no response
    is stored then. `wakes` are the (role, domain) for whom there is something else to deliver after the commit.
    """

    warnings: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    answered_by: str = ""
    wakes: tuple[Party, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What became of passing on the message `inbound` to one recipient.

    Where it was not `delivered`: `expired` says that its time was over, else its recipient refused it for good.
    `at` is this moment on the CRO's clock. `detail` says what came back, such as `HTTP 200` or `HTTP 400: …`, and
    `endpoint` where it was posted to, empty where it was not posted at all.
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
    """The message is refused as a whole, for these reasons; nothing of it is registered."""

    def __init__(self, reasons: Iterable[str] | str) -> None:
        self.reasons = [reasons] if isinstance(reasons, str) else [str(reason) for reason in reasons]
        super().__init__("; ".join(self.reasons))


def this_cro(recipient_domain: str) -> bool:
    """Whether `recipient_domain` is this CRO's."""
    return recipient_domain == settings.CRO_DOMAIN


def no_fields(incoming: Incoming) -> Mapping[str, Any]:
    """The fields of a Rejected answer that has none beyond the common ones."""
    return {}


def nothing_follows(passed: Passed) -> Iterable[Party]:
    """What becomes of a message that is passed on changes nothing."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What an app has registered for one message type; see `register`."""

    roles: frozenset[str]
    handle: Callable[[Incoming], Outcome]
    refused: Callable[[Incoming], Mapping[str, Any]]
    may_be_addressed_to: Callable[[str], bool]
    passed_on: Callable[[Passed], Iterable[Party]]


_handlers: dict[str, Handler] = {}


def register(
    message_type: str,
    *,
    role: str | Iterable[str],
    handle: Callable[[Incoming], Outcome],
    refused: Callable[[Incoming], Mapping[str, Any]] = no_fields,
    may_be_addressed_to: Callable[[str], bool] = this_cro,
    passed_on: Callable[[Passed], Iterable[Party]] = nothing_follows,
) -> None:
    """Have `handle` called for each `message_type` from a sender in `role` (one role, or several) that may act.

    `handle` runs inside the transaction that stores the answer; what it raises rolls back all that it wrote. It
    raises Rejection, or uftp.protocol.parsing.UnusableValue, to refuse the message. It waits for nobody outside the
    database: what only DNS can tell, it gets from `Incoming.look_up`. `refused` gives the further fields
    that the response's dataclass needs in a Rejected answer, whoever rejected it; it must not fail on unusable values.
    `may_be_addressed_to` says for which RecipientDomain the message is this CRO's business. A type whose name ends
    in `Response` may be registered too: it is handled and never answered.

    `passed_on` is called once for each recipient that `handle` had the message passed on to
    (uftp/delivery/forwarding.py), in the transaction that records it as delivered or given up; it gives the (role,
    domain) to wake deliveries for after the commit. Where it raises, nothing is recorded, and it is called again later
    without another POST.

    Raises ValueError where `message_type` has a handler already.
    """
    if message_type in _handlers:
        raise ValueError(f"{message_type} has a handler already")
    _handlers[message_type] = Handler(
        roles=frozenset({role} if isinstance(role, str) else role),
        handle=handle,
        refused=refused,
        may_be_addressed_to=may_be_addressed_to,
        passed_on=passed_on,
    )


def handler_of(message_type: str) -> Handler | None:
    """What is registered for `message_type`, if anything."""
    return _handlers.get(message_type)
