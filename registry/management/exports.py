"""The base class of the commands that export a file."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from django.core.management.base import CommandError, CommandParser

from common import stdout
from common.commands import OperatorCommand
from registry.exports.tables import left_out
from uftp.protocol.reasons import MAX_NAMED, named


class ExportCommand(OperatorCommand):
    """A command that writes a file in pieces, to standard output or to the file that `--output` names.

    A file is replaced only when it is written completely. A name that ends in `.gz` is compressed by gzip.
    """

    def add_output(self, parser: CommandParser) -> None:
        """Add the option `--output`."""
        parser.add_argument(
            "--output",
            type=Path,
            metavar="FILE",
            help="write to this file instead of standard output; it is replaced once all is written;"
            " a name that ends in .gz is compressed by gzip",
        )

    def write(self, pieces: Iterator[bytes], path: Path | None) -> None:
        """Write all pieces.

        Args:
            pieces: The content of the file, in order.
            path: The file to write; None for standard output.

        Raises:
            CommandError: The pieces cannot be written.
        """
        if path is None:
            self._write_out(pieces)
            return
        counted = _Counted(pieces)
        self._write_file(path, counted)
        self.stderr.write(f"{path}: {counted.lines - 1:,} lines after the header", lambda text: text)

    def warn_of_left_out(self) -> None:
        """Print on standard error which registered addresses are not in the file, if there are any."""
        addresses, total = left_out(MAX_NAMED)
        if addresses:
            text = named("Left out, because no import would take it", addresses, total=total)
            self.stderr.write(f"{text}. docs/operating.md, Upgrading, says what to do.", lambda text: text)

    def _write_file(self, path: Path, pieces: Iterator[bytes]) -> None:
        """Write all pieces beside the file, then replace the file; on an error leave the file as it is."""
        partial_file = path.parent / f"{path.name}.part"
        try:
            with partial_file.open("wb") as file:
                with nullcontext(file) if path.suffix != ".gz" else _gzip_file(file) as written:
                    for piece in pieces:
                        written.write(piece)
                file.flush()
                os.fsync(file.fileno())
            partial_file.replace(path)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        finally:
            partial_file.unlink(missing_ok=True)

    def _write_out(self, pieces: Iterator[bytes]) -> None:
        out = getattr(self.stdout, "buffer", None)
        try:
            for piece in pieces:
                if out:
                    out.write(piece)
                else:
                    self.stdout.write(piece.decode(), ending="")
            if out:
                out.flush()
        except OSError as error:
            stdout.discard()
            raise CommandError(f"Standard output was not written completely: {error.strerror}.") from None


class _Counted(Iterator[bytes]):
    """Pass on the pieces of a file, and count its `lines`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.lines = 0

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        self.lines += piece.count(b"\n")
        return piece


def _gzip_file(file: IO[bytes]) -> gzip.GzipFile:
    """Compress by gzip, so that the same content makes the same file."""
    return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0)
