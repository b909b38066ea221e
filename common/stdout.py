"""Standard output that cannot be written any more: the disk is full, or the reader has closed the pipe."""

from __future__ import annotations

import os
import sys


def discard() -> None:
    """Drop the output that cannot be written, so that Python prints no error when it exits."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
