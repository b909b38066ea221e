"""Try whether a participant's system lets this CRO in, without sending it a message."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from participants.credentials import Credentials
from uftp.delivery import connections, tokens
from uftp.delivery.connections import NoReply
from uftp.delivery.masking import masked

PROBE_SECONDS = 10.0
MAX_CONCURRENT_PROBES = 2
"""Maximum number of concurrent probes in one process: a request of staff waits for each."""

_slots = threading.BoundedSemaphore(MAX_CONCURRENT_PROBES)


class ProbesBusy(Exception):
    """Too many probes run already."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a probe: the HTTP status or why there was none, and the seconds that it took. Never a body."""

    name: str
    status: int | None
    failure: str
    seconds: float


def probe(endpoint: str, credentials: Credentials | None) -> list[Step]:
    """Request an access token if the participant demands one, then GET the endpoint with the credentials.

    The steps after one without a reply are left out. Redirects are not followed.

    Raises:
        ProbesBusy: MAX_CONCURRENT_PROBES probes run already.
    """
    if not _slots.acquire(blocking=False):
        raise ProbesBusy
    try:
        return _probe(endpoint, credentials)
    finally:
        _slots.release()


def _probe(endpoint: str, credentials: Credentials | None) -> list[Step]:
    headers: dict[str, str] = {}
    secrets: list[str] = []
    steps = []
    client = credentials.oauth if credentials else None
    with connections.deadline(PROBE_SECONDS):
        if client is not None:

            def request_token() -> int:
                tokens.forget(client)
                token = tokens.bearer(client)
                headers["Authorization"] = f"Bearer {token}"
                secrets.extend((token, client.secret))
                return 200

            steps.append(_timed("Access token", request_token, secrets))
            if steps[-1].status is None:
                return steps
        certificate = credentials.certificate if credentials else None
        steps.append(
            _timed(
                "Endpoint",
                lambda: (
                    connections.send(
                        "GET", endpoint, b"", headers, max_bytes=0, certificate=certificate
                    ).status
                ),
                secrets,
            )
        )
    return steps


def _timed(name: str, request: Callable[[], int], secrets: Sequence[str]) -> Step:
    """Call `request`, and mask `secrets` in the text of its failure."""
    started = time.monotonic()
    status, failure = None, ""
    try:
        status = request()
    except NoReply as failed:
        failure = masked(str(failed), secrets)
    return Step(name, status, failure, time.monotonic() - started)
