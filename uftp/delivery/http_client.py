"""The HTTP client: POSTs a message to a participant, with its credentials, and follows 307 and 308."""

import email.utils
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from participants.credentials import Credentials
from participants.endpoints import EndpointRefused, check_endpoint
from uftp.delivery import connections, tokens
from uftp.delivery.connections import NoReply, Response
from uftp.delivery.masking import masked

MAX_REPLY_BYTES = 2000
MAX_RETRY_AFTER = 7 * 86400.0  # seconds

MAX_REDIRECTS = 2
"""How many redirects a POST follows."""

FOLLOWED = frozenset({307, 308})
"""Redirects that keep the method and the body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of a participant's system.

    Attributes:
        status: The HTTP status.
        text: The beginning of the body.
        retry_after: The seconds of Retry-After, or None.
        redirected_to: The URL that replied, if redirects led to it.
        reposted: Whether the message was posted twice, because a reused connection ended without a reply.
    """

    status: int
    text: str
    retry_after: float | None
    redirected_to: str = ""
    reposted: bool = False


def post(url: str, body: bytes, *, seconds: float, credentials: Credentials | None = None) -> Reply:
    """POST the SignedMessage `body` to `url`.

    If the recipient demands an access token and answers 401, a new token is requested once.

    No text of the reply or of the error holds a credential.

    Args:
        url: The endpoint.
        body: The SignedMessage.
        seconds: The time for everything: the access token, the look-up of the host name, redirects, and the beginning
            of the reply.
        credentials: What the recipient demands. They go to no other origin than that of `url`.

    Raises:
        NoReply: There was no reply, or no access token. See `connections.send`.
    """
    client = credentials.oauth if credentials else None
    with connections.deadline(seconds):
        if client is None:
            return _post(url, body, credentials, "")
        token = tokens.bearer(client)
        secrets = [client.secret, token]
        reply = _post_masked(url, body, credentials, token, secrets)
        if reply.status != 401 or (reply.redirected_to and not _same_origin(reply.redirected_to, url)):
            return reply
        renewed = tokens.bearer(client, refused=token)
        return _post_masked(url, body, credentials, renewed, [*secrets, renewed])


def _post_masked(
    url: str, body: bytes, credentials: Credentials | None, token: str, secrets: Sequence[str]
) -> Reply:
    """POST `body` with an access token, and mask `secrets` in what comes back."""
    try:
        reply = _post(url, body, credentials, token)
    except NoReply as failure:
        raise NoReply(masked(str(failure), secrets)) from None
    return replace(
        reply, text=masked(reply.text, secrets), redirected_to=masked(reply.redirected_to, secrets)
    )


def _post(url: str, body: bytes, credentials: Credentials | None, token: str) -> Reply:
    """POST `body` to `url`, and to where 307 and 308 lead."""
    at, note, reposted = url, "", False
    for redirects in range(MAX_REDIRECTS + 1):
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        own = _same_origin(at, url)
        if token and own:
            headers["Authorization"] = f"Bearer {token}"
        certificate = credentials.certificate if credentials and own else None
        response = connections.send(
            "POST", at, body, headers, max_bytes=MAX_REPLY_BYTES, certificate=certificate
        )
        reposted = reposted or response.reposted
        if response.status not in FOLLOWED:
            break
        target, note = _target(at, response)
        if note:
            break
        if redirects == MAX_REDIRECTS:
            note = f"not followed: more than {MAX_REDIRECTS} redirects"
            break
        at = target
    return Reply(
        response.status,
        note or _text(response),
        _retry_after(response),
        at if at != url else "",
        reposted,
    )


def _target(at: str, response: Response) -> tuple[str, str]:
    """Return where a redirect leads, and why it is not followed (empty if it may be)."""
    location = response.headers.get("location", "")
    try:
        target = urljoin(at, location)
        check_endpoint(target)
        scheme = urlsplit(target).scheme
    except (EndpointRefused, ValueError) as refused:
        return "", f"not followed: {refused}"
    if not location:
        return "", "not followed: it does not say where to"
    if urlsplit(at).scheme == "https" and scheme != "https":
        return "", "not followed: it leads from https to http"
    return target, ""


def _same_origin(one: str, other: str) -> bool:
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _text(response: Response) -> str:
    return " ".join(response.body.decode("utf-8", "replace").replace("\x00", "").split())


def _retry_after(response: Response) -> float | None:
    """Return the seconds of Retry-After, in either of its two forms, or None without a valid one.

    The maximum is MAX_RETRY_AFTER.
    """
    text = response.headers.get("retry-after")
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        until = email.utils.parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        seconds = (until - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER)


__all__ = ["NoReply", "Reply", "post"]
