"""Run several `manage.py` commands as one: all start, all stop."""

import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

from django.conf import settings

SECONDS_TO_FINISH = 40
POLL_SECONDS = 0.2


def run(
    commands: Mapping[str, Sequence[str]], *, ready_at: str, host: str, when_ready: Callable[[], None]
) -> str:
    """Run commands until SIGINT, SIGTERM or SIGHUP comes, or one of them ends.

    Args:
        commands: The arguments of `manage.py` for each command, by its name.
        ready_at: A URL that returns 200 when all commands are ready.
        host: The host name for requests to `ready_at`.
        when_ready: Called once, when `ready_at` returns 200 for the first time.

    Returns:
        One line that says which command ended, and how; empty after a signal.
    """
    stop_requested = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stop_requested.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)

    running: dict[str, subprocess.Popen[bytes]] = {}
    is_ready = False
    try:
        for name, arguments in commands.items():
            # A session of its own: Ctrl-C at the terminal reaches this process alone, which stops each once.
            running[name] = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments], start_new_session=True
            )
        while not stop_requested.wait(POLL_SECONDS):
            for name, process in running.items():
                if (code := process.poll()) is not None:
                    return f"the {name} process ended by itself ({_described(code)}); all was stopped"
            if not is_ready and _answers(ready_at, host):
                is_ready = True
                when_ready()
    finally:
        _stop(running)
    return ""


def _described(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _answers(address: str, host: str) -> bool:
    request = urllib.request.Request(address, headers={"Host": host})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _stop(running: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Send SIGTERM to each process, and SIGKILL to those that do not end in time."""
    for process in running.values():
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + SECONDS_TO_FINISH
    for process in running.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
