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


def start_with_clock(self: Any, command: Any, *arguments: Any, env: Any = None, **options: Any) -> None:
    """Start a process with the same clock, also one that does not get this process's environment: PostgreSQL.

    A browser keeps the machine's clock: with libfaketime Chromium takes all processor time.
    """
    if "playwright" in str(command):
        environment = {name: value for name, value in (env or os.environ).items() if name not in CLOCK}
    else:
        environment = None if env is None else {**CLOCK, **env}
    start(self, command, *arguments, env=environment, **options)


time.sleep = sleep
subprocess.Popen.__init__ = start_with_clock  # type: ignore[method-assign]
