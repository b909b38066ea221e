"""Access tokens for participants that demand OAuth 2.0: the client credentials grant (RFC 6749, 4.4).

A token is kept in the memory of the process until shortly before it expires. It is stored nowhere.
"""

import base64
import json
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

from participants.credentials import OAuthClient
from uftp.delivery import connections
from uftp.delivery.connections import NoReply
from uftp.delivery.masking import masked

MAX_TOKENS = 1_000
"""Maximum number of clients whose token is kept."""

MAX_RESPONSE_BYTES = 64_000
DEFAULT_LIFETIME = 300.0
MAX_LIFETIME = 86_400.0

SAFETY_SECONDS = 30.0
"""A token is not used any more from so long before its end, or from half of its lifetime if that is later."""

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
_ERROR = re.compile(r"[a-z_]{1,40}")


class TokenFailed(NoReply):
    """There is no access token, which is a temporary failure. The message never holds a secret or a body."""


@dataclass(slots=True)
class _Entry:
    """The token of one client. The lock lets one thread at a time request it."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str = field(default="", repr=False)
    usable_until: float = 0.0


_entries: OrderedDict[OAuthClient, _Entry] = OrderedDict()
_entries_lock = threading.Lock()


def bearer(client: OAuthClient, *, refused: str = "") -> str:
    """Return an access token of `client`, inside `connections.deadline`. Request one if none is kept.

    Args:
        client: The client.
        refused: A token that was answered with 401. It is not returned again.

    Raises:
        TokenFailed: The token URL gave no token.
    """
    entry = _entry(client)
    if not entry.lock.acquire(timeout=max(connections.seconds_left(), 0.0)):
        raise TokenFailed("no access token: another request for it takes too long")
    try:
        if entry.token in ("", refused) or time.monotonic() >= entry.usable_until:
            entry.token, entry.usable_until = "", 0.0
            entry.token, entry.usable_until = _request(client)
        return entry.token
    finally:
        entry.lock.release()


def forget(client: OAuthClient) -> None:
    """Forget the token of `client`, so that the next one is requested."""
    with _entries_lock:
        _entries.pop(client, None)


def _entry(client: OAuthClient) -> _Entry:
    with _entries_lock:
        entry = _entries.setdefault(client, _Entry())
        _entries.move_to_end(client)
        while len(_entries) > MAX_TOKENS:
            _entries.popitem(last=False)
        return entry


def _request(client: OAuthClient) -> tuple[str, float]:
    """Request a token. Return it, and until when it is used, by `time.monotonic()`."""
    if urlsplit(client.token_url).scheme != "https":
        raise TokenFailed("no access token: the token URL is not https")
    form = {"grant_type": "client_credentials"}
    if client.scope:
        form["scope"] = client.scope
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    if client.secret_in_body:
        form |= {"client_id": client.client_id, "client_secret": client.secret}
    else:
        pair = f"{quote(client.client_id, safe='')}:{quote(client.secret, safe='')}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    secrets = (client.secret, headers.get("Authorization", "").removeprefix("Basic "))
    started = time.monotonic()
    try:
        response = connections.send(
            "POST", client.token_url, urlencode(form).encode(), headers, max_bytes=MAX_RESPONSE_BYTES
        )
    except NoReply as failure:
        raise TokenFailed(f"no access token: {masked(str(failure), secrets)}") from None
    values = _values(response.body)
    if response.status != 200:
        error = str(values.get("error", ""))
        named = f" ({masked(error, secrets)})" if _ERROR.fullmatch(error) else ""
        raise TokenFailed(f"no access token: the token URL answered HTTP {response.status}{named}")
    token, kind = str(values.get("access_token", "")), str(values.get("token_type", "bearer"))
    if not _TOKEN.fullmatch(token) or kind.lower() != "bearer":
        raise TokenFailed("no access token: the answer of the token URL holds no bearer token")
    lifetime = _lifetime(values.get("expires_in"))
    return token, started + max(lifetime - SAFETY_SECONDS, lifetime / 2)


def _values(body: bytes) -> dict[str, object]:
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _lifetime(stated: object) -> float:
    try:
        seconds = float(str(stated)) if stated is not None else DEFAULT_LIFETIME
    except ValueError:
        seconds = DEFAULT_LIFETIME
    return min(max(seconds, 0.0), MAX_LIFETIME) if seconds == seconds else DEFAULT_LIFETIME
