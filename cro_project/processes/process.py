"""Functions for the long-running processes."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from argparse import ArgumentParser

_PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.5


def add_parent_option(parser: ArgumentParser) -> None:
    """Add the option `--with-parent`: the process id of the parent with which the command ends."""
    parser.add_argument(
        "--with-parent",
        nargs="?",
        type=int,
        const=os.getppid(),
        metavar="PID",
        help="stop when the parent process dies; PID is the parent, by default the one at the start",
    )


def die_with_parent(parent: int | None = None) -> None:
    """Have the system send SIGTERM to this process when its parent dies. Linux only.

    `parent` is the process id that the parent gave: the parent may have died before this call. By default it is the
    parent at this moment.
    """
    if sys.platform != "linux":
        return
    parent = parent or os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)


def end_after_parent(parent: int, seconds: float) -> None:
    """End this process after `parent` has ended, at most `seconds` later.

    A process that starts may miss a SIGTERM. So this sends it again and again, and at the end SIGKILL.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(POLL_SECONDS)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def port_is_taken(host: str, port: int) -> bool:
    """Return whether another process listens on `port`.

    This binds the port exclusively to find out. The web server could not: its processes share the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
