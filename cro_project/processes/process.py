"""What the long-running processes have in common."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser

_PR_SET_PDEATHSIG = 1
SECONDS_BETWEEN_LOOKS = 0.5


def add_parent_option(parser: ArgumentParser) -> None:
    """Let a command be told, as `with_parent`, the process id of the one that started it and that it dies with."""
    parser.add_argument(
        "--with-parent",
        nargs="?",
        type=int,
        const=os.getppid(),
        metavar="PID",
        help="stop when the starting process dies; that may say which one it is",
    )


def die_with_parent(parent: int | None = None) -> None:
    """Have this process told to stop (SIGTERM) when the one that started it dies. Linux only.

    `parent` is the process id of that one, as it said itself: it may have died before this is called. Without it,
    the parent at this moment is taken for it.
    """
    if sys.platform != "linux":
        return
    parent = parent or os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def outlive_no_parent(parent: int, seconds: float) -> None:
    """Have this process end soon after `parent`, whatever it is doing: `seconds` later at the latest.

    For one that may miss a SIGTERM while it starts: it is told again until it is gone.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def port_is_taken(host: str, port: int) -> bool:
    """Whether another process listens on `port`.

    Asked by taking the port alone: the web server shares its port between its processes, and so would not
    notice.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
