"""Write the file of rejects: all of it, or nothing."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from common.csv.rejects import HEADER, Rejects

HEADER_LINE = ",".join(HEADER).encode()


class RejectsUnwritable(Exception):
    """The rejects cannot be written. The message has the path and the cause."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"The rejects file {path} cannot be written: {error.strerror or error}.")


def write(rejects: Rejects, path: Path) -> None:
    """Replace the file at `path` by the rejects, and wait until they are on disk.

    A path that is no ordinary file, such as a terminal or a pipe, is written to directly.

    Raises:
        RejectsUnwritable: The file cannot be written.
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as file:
                rejects.write_csv(file)
            return
        _replace(rejects, path)
    except OSError as error:
        raise RejectsUnwritable(path, error) from None


def remove_stale(path: Path) -> None:
    """Remove the file at `path` if it has the rejects of an earlier run."""
    with suppress(OSError):
        if not path.is_file():
            return
        with path.open("rb") as file:
            is_ours = file.readline().rstrip(b"\r\n") == HEADER_LINE
        if is_ours:
            path.unlink()


def _replace(rejects: Rejects, path: Path) -> None:
    beside = path.with_name(f"{path.name}.part")
    try:
        with beside.open("wb") as file:
            rejects.write_csv(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
