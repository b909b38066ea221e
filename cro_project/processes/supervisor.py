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
SECONDS_BETWEEN_LOOKS = 0.2


def run(
    commands: Mapping[str, Sequence[str]], *, ready_at: str, host: str, when_ready: Callable[[], None]
) -> str:
    """Run each of `commands` (name → arguments of `manage.py`) until a signal comes or one of them ends.

    `when_ready` is called once, when the address `ready_at`, asked for as `host`, first answers 200. Returns
    nothing after SIGINT, SIGTERM or SIGHUP, and otherwise one line saying which command ended by itself, and how.
    """
    told_to_stop = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        told_to_stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, stop)

    running: dict[str, subprocess.Popen[bytes]] = {}
    greeted = False
    try:
        for name, arguments in commands.items():
            # A session of its own: Ctrl-C at the terminal reaches this process alone, which stops each once.
            running[name] = subprocess.Popen(
                [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments], start_new_session=True
            )
        while not told_to_stop.wait(SECONDS_BETWEEN_LOOKS):
            for name, process in running.items():
                if (code := process.poll()) is not None:
                    return f"the {name} process ended by itself ({_described(code)}); all was stopped"
            if not greeted and _answers(ready_at, host):
                greeted = True
                when_ready()
    finally:
        _stop(running)
    return ""


def _described(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _answers(address: str, host: str) -> bool:
    asked = urllib.request.Request(address, headers={"Host": host})  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _stop(running: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    """Tell each process to finish, and end those that do not."""
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
