"""The checks of every message before its handler gets it (docs/rules.md M1 to M10)."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from common import sql
from participants.admission import Admission, admit
from participants.models import Mode, Participant, ParticipantStanding
from uftp.handlers import Handler, Incoming, this_cro
from uftp.models import InboundMessage
from uftp.protocol import parsing
from uftp.protocol.messages import Metadata, is_response
from uftp.protocol.reasons import Reason, named
from uftp.protocol.values import has_offset
from uftp.protocol.versions import SUPPORTED, path_of, supported

FURTHEST_AHEAD = timedelta(minutes=5)
LONGEST = 80
"""Characters of a value of the message that a reason repeats."""

_COLUMNS = [
    "id",
    "role",
    "domain",
    "name",
    "endpoint",
    "standing",
    "placeholders",
    "created_at",
    "last_heard_at",
]

# The mode, and the participant in whose name a message came, if it is registered.
_SENDER = """
SELECT mode.value, p.id, p.role, p.domain, p.name, p.endpoint, p.standing, p.placeholders, p.created_at,
    p.last_heard_at
FROM (SELECT max(value) AS value FROM participants_mode WHERE id = 1) AS mode
LEFT JOIN participants_participant AS p ON p.role = %(role)s AND p.domain = %(domain)s
"""


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A parsed message.

    Attributes:
        incoming: The message for its handler.
        participant: The sender, or None if it is not registered.
        mode: The mode of the CRO at this moment.
        unusable: Why a value of the metadata cannot be used. Empty if all can.
    """

    incoming: Incoming
    participant: Participant | None
    mode: str
    unusable: str


def parse_message(
    message: InboundMessage, content: bytes, answers: Mapping[Hashable, Any] | None = None
) -> ParsedMessage:
    """Parse the root element of a message, and find its sender and the mode.

    Args:
        message: The stored message.
        content: Its inner XML.
        answers: The answers that were looked up for it, by question.
    """
    header = parsing.read_header(content)
    unusable = ""
    try:
        metadata = parsing.metadata(header)
    except parsing.UnusableValue as wrong:
        unusable = str(wrong)
        metadata = Metadata(
            version=header.version,
            sender_domain=header.sender_domain,
            recipient_domain=header.recipient_domain,
            time_stamp=message.received_at,
            message_id=header.message_id,
            conversation_id=header.conversation_id,
        )
    role, domain = message.sender.role, message.sender.domain
    mode, *values = sql.fetch(_SENDER, {"role": role, "domain": domain}) or (None, None)
    participant = None if values[0] is None else Participant.from_db(connection.alias, _COLUMNS, values)
    incoming = Incoming(
        inbound=message,
        sender=participant or Participant(role=role, domain=domain),
        header=header,
        metadata=metadata,
        content=content,
        received_at=message.received_at,
        answers=answers or {},
    )
    return ParsedMessage(incoming, participant, mode or Mode.OPEN, unusable)


def reasons_against(parsed: ParsedMessage, handler: Handler | None, duplicate: bool) -> list[str]:
    """Return all reasons to reject the message before its handler gets it.

    Args:
        parsed: The parsed message.
        handler: The handler of its type, or None.
        duplicate: Whether an earlier message of the sender has the same MessageID.
    """
    incoming = parsed.incoming
    message, header, metadata = incoming.inbound, incoming.header, incoming.metadata
    reasons: list[str] = []
    # M1: the sender is the domain of the envelope. The response goes there.
    if header.sender_domain != message.sender.domain:
        both = f"{header.sender_domain[:LONGEST]} in the message, {message.sender.domain} in the envelope"
        reasons.append(named(Reason.MISMATCH_SENDER, [], both))
    # M2
    if handler and message.sender.role not in handler.roles:
        what = f"{message.sender.role} may not send {message.message_type}"
        reasons.append(named(Reason.INVALID_ROLE, [], what))
    # M3 and M4: a handler needs a registered participant. The endpoint registers new senders that may act. A sender is
    # still not registered if the mode was closed when its message came, or if staff have deleted it since.
    admission = admit(parsed.participant, parsed.mode)
    if parsed.participant is None and admission is Admission.ALLOWED:
        admission = Admission.UNAUTHORIZED
    if admission is Admission.UNAUTHORIZED:
        reasons.append(named(Reason.UNAUTHORIZED, [], _unauthorized(parsed)))
    elif admission is not Admission.ALLOWED:
        reasons.append(Reason(admission.value))
    # M5
    if not (handler.accepts_recipient if handler else this_cro)(header.recipient_domain):
        recipient = header.recipient_domain[:LONGEST]
        what = f"{recipient} is not this CRO, which is {settings.CRO_DOMAIN}"
        reasons.append(named(Reason.UNKNOWN_RECIPIENT, [], what))
    # M6: a response without a handler is stored, and nothing else.
    if handler is None and not is_response(message.message_type):
        reasons.append(_invalid(f"a CRO does not handle {message.message_type}"))
    # M7
    version = supported(header.version)
    if version is None:
        reasons.append(_invalid(_unsupported(header.version, message.major)))
    elif version.major != message.major:
        path = path_of(version.major)
        reasons.append(
            _invalid(f"version {header.version[:LONGEST]} belongs on {path}, not on {path_of(message.major)}")
        )
    # M8 and M9
    if parsed.unusable:
        reasons.append(_invalid(parsed.unusable))
    elif metadata.time_stamp > incoming.received_at + FURTHEST_AHEAD:
        stated = header.attributes["TimeStamp"]
        reasons.append(_invalid(_ahead(stated, metadata.time_stamp, incoming.received_at)))
    # M10
    if duplicate:
        used = f"MessageID {header.message_id} was used before, with other content"
        reasons.append(named(Reason.DUPLICATE_IDENTIFIER, [], used))
    return reasons


def _unauthorized(parsed: ParsedMessage) -> str:
    """Return why the sender may not act."""
    if parsed.participant and parsed.participant.standing == ParticipantStanding.SUSPENDED:
        return "this participant is suspended"
    if parsed.mode == Mode.CLOSED:
        return "this CRO is in closed mode, and this participant is not authorized"
    return "this participant is not registered any more"


def _unsupported(version: str, major: int) -> str:
    """Return that `version` is not supported, and which versions are, on the path of `major`."""
    names = " and ".join(name for name, known in SUPPORTED.items() if known.major == major)
    return f"version {version[:LONGEST]} is not supported, only {names} are on {path_of(major)}"


def _ahead(stated: str, read: datetime, received_at: datetime) -> str:
    """Return how far a TimeStamp is ahead, and if it lacks its offset: often the sender's clock shows local time."""
    minutes = -((received_at - read) // timedelta(minutes=1))
    ahead = (
        f"is {minutes} minutes ahead of this CRO's clock, more than {FURTHEST_AHEAD // timedelta(minutes=1)}"
    )
    if has_offset(stated):
        return f"TimeStamp {read.isoformat()} {ahead}"
    return (
        f"TimeStamp {stated} has no offset from UTC, so it is read as UTC, and {ahead}: add Z or the offset, such as"
        " +01:00"
    )


def _invalid(what: str) -> str:
    return named(Reason.INVALID_MESSAGE, [], what)
