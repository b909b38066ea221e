"""Loaded by every Python process of `make test-clocks`: libfaketime moves the clock of all, and no pause."""

import os
import select
import subprocess
import time
from typing import Any

CLOCK = {
    name: os.environ[name] for name in ("LD_PRELOAD", "FAKETIME", "DONT_FAKE_MONOTONIC") if name in os.environ
}


def sleep(seconds: float) -> None:
    """Sleep as `time.sleep` does, which waits for a moment of the monotonic clock: libfaketime 0.9.10 breaks that."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select((), (), (), seconds)


start = subprocess.Popen.__init__


def start_with_clock(self: Any, *arguments: Any, env: Any = None, **options: Any) -> None:
    """Start a process with the same clock, also one that does not get this process's environment: PostgreSQL."""
    start(self, *arguments, env=None if env is None else {**CLOCK, **env}, **options)


time.sleep = sleep
subprocess.Popen.__init__ = start_with_clock  # type: ignore[method-assign]
