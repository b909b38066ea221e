"""Waiting for what other processes do, no longer than a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T], seconds: float = 20.0) -> T:
    """What `look` gives as soon as it is true. Fails, saying `what` was awaited and what came, after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not happen within {seconds} s; last seen: {seen!r}")
        time.sleep(0.05)
