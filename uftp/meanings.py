"""The meanings, for staff, of rejections, refused requests and delivery attempts, and what staff can do."""

from typing import NamedTuple

from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage
from uftp.protocol.reasons import Reason
from uftp.protocol.versions import for_major


class Meaning(NamedTuple):
    """Sentences about what has happened, and about what staff can do. `action` may be empty."""

    text: str
    action: str = ""


REASONS = {
    Reason.MISMATCH_SENDER: Meaning(
        "The message names another sender than the envelope it came in.",
        "The participant's system must write its own domain into both.",
    ),
    Reason.INVALID_ROLE: Meaning(
        "A participant in this role may not send this type of message.",
        "The participant must send it in the other role, with that role's key.",
    ),
    Reason.BARRED: Meaning(
        "Staff have barred the sender.", "It is answered so until its standing is changed on its page."
    ),
    Reason.UNAUTHORIZED: Meaning(
        "The sender may not act: it is suspended, or the CRO is closed and it is not authorized.",
        "Change its standing on its page if it is to act, and ask it to send the message again.",
    ),
    Reason.UNKNOWN_RECIPIENT: Meaning(
        "The message is addressed to another domain than this CRO's.",
        "The participant must write this CRO's domain as RecipientDomain.",
    ),
    Reason.INVALID_MESSAGE: Meaning(
        "The message was read, but this CRO cannot use something in it.",
        "The words after the colon say what. The participant must send a corrected message with a new MessageID.",
    ),
    Reason.DUPLICATE_IDENTIFIER: Meaning(
        "The sender used this MessageID before, for a message with other content.",
        "The participant must give each message a MessageID of its own.",
    ),
    Reason.TIME_ZONE: Meaning(
        "The days of the message are in another time zone than the market's.",
        "The participant must use the market's time zone.",
    ),
    Reason.PERIOD: Meaning(
        "The days in the message are irregular, and a policy rejects that.",
        "The participant must correct the days. The policies P1 to P7 set which days are accepted.",
    ),
    Reason.SUBORDINATE_SEQUENCE: Meaning(
        "A newer update of this sender was accepted before.",
        "The participant must use a higher number. If its numbering started again, staff can reset its revision place.",
    ),
    Reason.NO_CONNECTIONS: Meaning("On that day the sender has nothing that its query is about."),
    Reason.CONNECTION_CONFLICT: Meaning(
        "Another party holds days that the message claims, and a policy rejects that.",
        "The participants must agree, or the policy is changed to hold, so that staff decide.",
    ),
}
"""RejectionReason to its meaning. The reasons of reservation updates need none."""

_GIVEN_UP = "It is not tried again by itself: see to it with the participant, and send it again."
_RETRIED = "It is tried again by itself."
_RETRIED_FOR_A_DAY = "It is tried again by itself for 24 hours."
_TRIED_LATER = (
    "It refused an earlier message as well, so this one does not end here: it is tried again by itself."
)

STATUSES = {
    400: Meaning("Its system found a fault in the message and refused it.", _GIVEN_UP),
    401: Meaning(
        "Its system could not verify this CRO's signature, or does not take its access token.",
        f"{_RETRIED_FOR_A_DAY} Give the participant this CRO's public key, and compare its delivery settings. Then "
        "send again all that was refused with 401, from its page.",
    ),
    403: Meaning("Its system does not let this CRO in.", _GIVEN_UP),
    404: Meaning(
        "Nothing takes messages at that address: the endpoint may be wrong, or the system is being started.",
        f"{_RETRIED} Compare the endpoint on the participant's page.",
    ),
    405: Meaning("That address takes no messages: the endpoint may be wrong.", _GIVEN_UP),
    408: Meaning("Its system gave up waiting for the message to arrive.", _RETRIED),
    413: Meaning("The message is larger than its system takes.", _GIVEN_UP),
    419: Meaning(
        "Its system does not find this CRO's public key.",
        f"{_RETRIED} Give the participant this CRO's public key.",
    ),
    425: Meaning("Its system asks to come again later.", _RETRIED),
    429: Meaning("Its system has more messages than it takes at a time.", _RETRIED),
    503: Meaning("Its system is not available for a while.", _RETRIED),
}
"""HTTP status of a participant's system to its meaning."""

_PASSING_ON_ENDED = "It is not passed on again: its sender has to see to it with the participant."

STATUSES_PASSED_ON = {
    401: Meaning(
        "Its system could not verify the signature, which is that of the message's sender.",
        f"{_RETRIED_FOR_A_DAY} The sender must give the participant its public key.",
    ),
    419: Meaning(
        "Its system does not find the public key of the message's sender.",
        f"{_RETRIED} The sender must give the participant its public key.",
    ),
}
"""HTTP status to its meaning for a message that is passed on, if that differs from STATUSES."""

FAILURES = {
    "no access token": Meaning(
        "This CRO got no access token for this participant, so nothing was posted.",
        f"{_RETRIED} Compare the delivery settings on the participant's page, and test them there.",
    ),
    "no credentials": Meaning(
        "The stored secrets of this participant cannot be decrypted, so nothing was posted.",
        f"{_RETRIED} The operator of this CRO compares CREDENTIALS_KEY.",
    ),
    "outbound proxy": Meaning(
        "The outbound proxy of this CRO did not connect to the endpoint.",
        f"{_RETRIED} The operator of this CRO compares OUTBOUND_PROXY, and what the proxy lets through.",
    ),
    "has no address": Meaning(
        "The host name of the endpoint has no address.",
        f"{_RETRIED} Compare the endpoint on the participant's page.",
    ),
    "refused": Meaning(
        "Nobody answers at this address: nothing accepts connections there.",
        f"{_RETRIED} Ask the participant whether its system runs, and compare the endpoint on its page.",
    ),
    "CERTIFICATE_VERIFY_FAILED": Meaning(
        "The certificate of the endpoint is not trusted.",
        f"{_RETRIED} Tell the participant. The words below say what is wrong with it.",
    ),
    "ConnectTimeout": Meaning(
        "No connection to the endpoint was made in time.",
        f"{_RETRIED} Ask the participant whether its firewall lets this CRO in.",
    ),
    "Timeout": Meaning(
        "The connection was made, but no answer came in time.",
        f"{_RETRIED} Ask the participant whether its system is overloaded.",
    ),
    "give": Meaning(
        "Messages may not be posted to this endpoint.", "Correct the endpoint on the participant's page."
    ),
}
"""Text in the detail of an attempt without a reply to its meaning. The first text that occurs is used."""


TEMPORARY_STATUSES = frozenset({401, 404, 407, 408, 419, 425, 429})
"""Statuses from 400 to 499 after which a message is tried again. A 401 is temporary for 24 hours."""


def is_permanent(status: int) -> bool:
    """Return whether a recipient that answers with `status` refuses the message permanently."""
    return (400 <= status < 500 and status not in TEMPORARY_STATUSES) or status == 501


def of_reason(reason: str) -> list[Meaning]:
    """Return the meanings of the reasons in a RejectionReason of this CRO, in their order."""
    at = {known: reason.find(known) for known in REASONS if known in reason}
    return [REASONS[known] for known in sorted(at, key=lambda known: at[known])]


LOOKS_ACCEPTED = (
    "To the participant, this rejected TestMessage looks accepted: a TestMessageResponse of UFTP 3.x has no place for a"
    " result or a reason. Tell the participant."
)


def of_rejected_test(message: InboundMessage) -> str:
    """Return what staff must know of a rejected TestMessage; empty for other messages.

    Its response in versions 3.x cannot say that it is rejected, so the sender takes it for accepted.
    """
    if message.message_type != "TestMessage" or message.result != "Rejected":
        return ""
    tells = for_major(message.major, message.version).test_response_has_result
    return "" if tells else LOOKS_ACCEPTED


def of_attempt(attempt: DeliveryAttempt) -> Meaning:
    """Return the meaning of a delivery attempt.

    If the message no longer waits, the meaning does not say that it is tried again.
    """
    meaning = _of_attempt(attempt)
    if attempt.message.passes_on_id is not None:
        meaning = STATUSES_PASSED_ON.get(attempt.status or 0, meaning)
        meaning = meaning._replace(action=meaning.action.replace(_GIVEN_UP, _PASSING_ON_ENDED))
    if attempt.message.state == OutboundMessage.State.WAITING:
        return meaning
    action = meaning.action
    for retried in (_RETRIED, _RETRIED_FOR_A_DAY, _TRIED_LATER):
        action = action.removeprefix(retried).lstrip()
    return meaning._replace(action=action)


def with_detail(detail: str) -> str:
    """Return the meaning of an attempt without a reply, then `detail` in brackets. Without a meaning, only `detail`."""
    meaning = _of_failure(detail)
    return f"{meaning.text.removesuffix('.')} ({detail})" if meaning else detail


def _of_failure(detail: str) -> Meaning | None:
    return next((meaning for text, meaning in FAILURES.items() if text in detail), None)


def _of_attempt(attempt: DeliveryAttempt) -> Meaning:
    status = attempt.status
    if attempt.outcome == "delivered":
        if status == 400:
            return Meaning("Its system had the message already: delivered.")
        return Meaning("Its system accepted the message: delivered.")
    if status is None:
        if attempt.detail.startswith("an error of ours"):
            return Meaning(
                "The attempt failed because of an internal error of this CRO.",
                f"{_RETRIED} The log says more.",
            )
        if "no endpoint" in attempt.detail:
            return Meaning(
                "It is not known where to send it.", "Enter the endpoint on the participant's page."
            )
        return _of_failure(attempt.detail) or Meaning("Its system did not answer.", _RETRIED)
    if attempt.outcome == "temporary" and is_permanent(status):
        return STATUSES.get(status, Meaning("Its system refused the message."))._replace(action=_TRIED_LATER)
    if status in STATUSES:
        return STATUSES[status]
    if 300 <= status < 400:
        return Meaning(
            "Its system redirects to another address, and this redirect is not followed.",
            "Ask the participant for its endpoint, and enter it on its page.",
        )
    if attempt.outcome == "temporary":
        return Meaning("Its system has an error.", _RETRIED)
    return Meaning("Its system refused the message.", _GIVEN_UP)


def of_refusal(status: int, line: str) -> Meaning:
    """Return the meaning of a refused request with the HTTP status `status` and the answer `line`."""
    if status == 401:
        return Meaning(
            "The signature is not the claimed sender's: it has changed its key, or somebody else sent this.",
            "Compare the public key on the participant's page with the one that it signs with.",
        )
    if status == 419:
        return Meaning(
            "There is no public key to verify the sender with.",
            "Enter the participant's public key on its page. Its system sends the message again by itself.",
        )
    if status == 413:
        return Meaning(
            "The message is larger than this CRO takes (UFTP_MAX_MESSAGE_BYTES).",
            "The participant must send it in several messages, or the operator of this CRO raises the limit.",
        )
    if line.startswith("Body:"):
        return Meaning(
            "The message inside the envelope is not valid by the schema of its version.",
            "Tell the participant what is wrong below. Its system must send a corrected message.",
        )
    if line.startswith("SignedMessage"):
        return Meaning(
            "The envelope of the message is wrong, so the message in it was not read.",
            "Tell the participant what the answer says. Its system must send a corrected request.",
        )
    return Meaning(
        "A header of the request is wrong for a message.",
        "Tell the participant what the answer says. Its system must send a corrected request.",
    )
