"""Read a file from disk or standard input once from start to end, and count and hash its bytes."""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from common.csv import reader as csv_reader
from common.csv.reader import STANDARD_INPUT, Fault, Row, UnreadableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 18

BytesRead = Callable[[int, int | None], None]
"""Called with the number of bytes read, and the total; None if the total is unknown."""

LinesRead = Callable[[int], None]
"""Called with the number of lines read."""


def _ignore(count: int) -> None:
    """Ignore the number of lines."""


def never_stopping() -> bool:
    """Return False: nobody asks the reading to stop."""
    return False


class ChangedWhileRead(UnreadableFile):
    """The file was changed while it was read."""


class InputFile(Protocol):
    """A file that can be read again for each try of an import.

    Attributes:
        size: The bytes of the file as it came, perhaps packed; None until it was read to its end.
        content_hash: Their SHA-256 in hex digits; empty until the file was read to its end.
    """

    size: int | None
    content_hash: str

    def rows(
        self, columns: Sequence[str], on_bytes: BytesRead
    ) -> AbstractContextManager[Iterator[Row | Fault]]:
        """Yield the rows under the header `columns`, from the start. Raises UnreadableFile, also in the middle."""


class FileOnDisk:
    """A file on disk, or standard input if its path is `-`.

    A file that can be read only once, such as a pipe, is first copied to a temporary file.

    Args:
        path: The path.
        on_lines: Called after each block of lines.
    """

    def __init__(self, path: str, on_lines: LinesRead = _ignore) -> None:
        self._path, self._on_lines = path, on_lines
        self._copy: BinaryIO | None = None
        self.size: int | None = None
        self.content_hash = ""

    @contextmanager
    def rows(self, columns: Sequence[str], on_bytes: BytesRead) -> Iterator[Iterator[Row | Fault]]:
        """Yield the rows under the header `columns`. Raises UnreadableFile, also if the file changes meanwhile."""
        with self._opened(on_bytes) as raw:
            began = os.fstat(raw.fileno())
            watched = _CountedBytes(raw, began.st_size, on_bytes)
            with (
                io.BufferedReader(watched, CHUNK) as packed,
                csv_reader.unpack(packed) as unpacked,
                io.BufferedReader(_Lines(unpacked, self._on_lines), CHUNK) as file,
            ):
                yield self._read_to_end(csv_reader.read_rows(file, columns), packed, watched, began)

    def _read_to_end(
        self,
        rows: Iterator[Row | Fault],
        packed: io.BufferedReader[Any],
        watched: _CountedBytes,
        began: os.stat_result,
    ) -> Iterator[Row | Fault]:
        yield from rows
        while packed.read(CHUNK):
            pass
        if self._copy is None and (watched.count != began.st_size or self._differs_from(began)):
            raise ChangedWhileRead(f"{self._path} changed while it was read.")
        self.size, self.content_hash = watched.count, watched.hash.hexdigest()

    def _differs_from(self, began: os.stat_result) -> bool:
        try:
            ended = Path(self._path).stat()
        except OSError:
            return True
        return any(
            getattr(began, name) != getattr(ended, name)
            for name in ("st_dev", "st_ino", "st_size", "st_mtime_ns")
        )

    @contextmanager
    def _opened(self, on_bytes: BytesRead) -> Iterator[BinaryIO]:
        """Yield the file, unbuffered, at its first byte."""
        if self._copy is not None:
            self._copy.seek(0)
            yield self._copy
            return
        standard_input = self._path == STANDARD_INPUT
        try:
            raw = open(  # noqa: SIM115
                sys.stdin.fileno() if standard_input else self._path,
                "rb",
                buffering=0,
                closefd=not standard_input,
            )
        except OSError as error:
            raise UnreadableFile(f"{self._path} cannot be opened: {error.strerror}.") from None
        with raw:
            if not standard_input and stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
                yield raw
            else:
                yield self._copied(raw, on_bytes)

    def _copied(self, raw: BinaryIO, on_bytes: BytesRead) -> BinaryIO:
        copy = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed with this object
        count = 0
        try:
            while chunk := raw.read(CHUNK):
                copy.write(chunk)
                count += len(chunk)
                on_bytes(count, None)
        except OSError as error:
            raise UnreadableFile(
                f"{csv_reader.file_name(self._path)} cannot be read to its end: {error.strerror}."
            ) from None
        copy.seek(0)
        self._copy = copy
        return copy


class _Lines(io.RawIOBase):
    """A stream that counts the line ends (LF, CRLF or CR) of what is read through it, and reports them."""

    def __init__(self, file: BinaryIO, on_lines: LinesRead) -> None:
        self._file, self._on_lines = file, on_lines
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        chunk: bytes = self._file.read1(len(view))  # type: ignore[attr-defined]
        view[: len(chunk)] = chunk
        self._count += max(chunk.count(b"\n"), chunk.count(b"\r"))
        self._on_lines(self._count)
        return len(chunk)


class _CountedBytes(io.RawIOBase):
    """A stream that counts and hashes the bytes that are read through it, and reports them."""

    def __init__(self, raw: BinaryIO, total: int, on_bytes: BytesRead) -> None:
        self._raw, self._total, self._on_bytes = raw, total, on_bytes
        self.count = 0
        self.hash = sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        count: int = self._raw.readinto(view)  # type: ignore[attr-defined]
        self.hash.update(view[:count])
        self.count += count
        self._on_bytes(self.count, self._total)
        return count
