"""Standard output that takes no more: its disk is full, or its reader went away."""

from __future__ import annotations

import os
import sys


def discard() -> None:
    """Let go of what can no longer be written there, as Python would complain of it at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
