"""Show on standard error how far an import is: a bar on a terminal, lines in a log."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from tqdm import tqdm

if TYPE_CHECKING:
    from django.core.management.base import OutputWrapper

SECONDS, LINES = 5.0, 100_000
"""The seconds, or lines of the file, after which a log gets another line while the file is read."""

TICK = 1.0

WITH_BYTES = "{desc}: {percentage:3.0f} % of {total_fmt}B |{bar:30}| {elapsed}, {remaining} left"
WITHOUT_TOTAL = "{desc}: {n_fmt}B, {elapsed}"
WITHOUT_BYTES = "{desc}: {elapsed}"


class Bar:
    """A progress bar: over the bytes of the file while it is read, then the phase and its duration."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._bar: tqdm[Any] | None = None
        self._phase = ""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._ticking = threading.Thread(target=self._tick, name="import progress", daemon=True)
        self._ticking.start()

    def phase(self, phase: str) -> None:
        """Show the phase of the import."""
        if phase != self._phase:
            self._phase = phase
            self._draw(None, WITHOUT_BYTES)

    def read(self, count: int, total: int | None) -> None:
        """Show how many bytes of the file are read, of how many; None if that is not known."""
        bar = self._bar
        wanted = WITHOUT_TOTAL if total is None else WITH_BYTES
        if bar is None or bar.bar_format != wanted:
            bar = self._draw(total, wanted)
        with self._lock:
            bar.update(count - bar.n)

    def lines(self, count: int) -> None:
        """Ignore the number of lines: the bar counts bytes."""

    def close(self) -> None:
        """Remove the bar."""
        self._stop.set()
        self._ticking.join()
        with self._lock:
            if self._bar is not None:
                self._bar.close()

    def _draw(self, total: int | None, bar_format: str) -> tqdm[Any]:
        with self._lock:
            if self._bar is not None:
                self._bar.close()
            bar: tqdm[Any] = tqdm(
                total=total,
                desc=self._phase.capitalize(),
                file=self._out,
                bar_format=bar_format,
                unit="B",
                unit_scale=True,
                leave=False,
                dynamic_ncols=True,
            )
            self._bar = bar
            return bar

    def _tick(self) -> None:
        while not self._stop.wait(TICK):
            with self._lock:
                if self._bar is not None:
                    self._bar.refresh()


class Lines:
    """Lines in a log: one for each phase, and more every SECONDS, or every LINES of the file, while it is read."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._phase = ""
        self._printed_at = time.monotonic()
        self._printed_lines = 0

    def phase(self, phase: str) -> None:
        """Show the phase of the import."""
        if phase != self._phase:
            self._phase = phase
            self._print(phase)

    def read(self, count: int, total: int | None) -> None:
        """Print how many bytes are read of a file of unknown size, which is read completely before its lines."""
        if total is None and self._is_due:
            self._print(f"{self._phase} … {count:,} bytes")

    def lines(self, count: int) -> None:
        """Print how many lines of the file are read."""
        if count < self._printed_lines:  # A retry reads the file from its start.
            self._printed_lines = 0
        if count - self._printed_lines >= LINES or (count > self._printed_lines and self._is_due):
            self._printed_lines = count
            self._print(f"{self._phase} … {count:,} lines")

    @property
    def _is_due(self) -> bool:
        return time.monotonic() - self._printed_at >= SECONDS

    def close(self) -> None:
        """Do nothing: there is nothing to remove."""

    def _print(self, text: str) -> None:
        self._printed_at = time.monotonic()
        with suppress(OSError):
            self._out.write(text)
            self._out.flush()


def progress_for(out: OutputWrapper) -> Bar | Lines:
    """Return a bar if the command's standard error is a terminal, else lines."""
    return Bar(sys.stderr) if out.isatty() else Lines(out)
