"""Read uploaded files, packed or not, with limits on their size and on the length of their lines."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from common.csv import reader as csv_reader
from common.csv.reader import Fault, Row, UnreadableFile
from registry.imports.input_file import BytesRead, never_stopping

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

UNPACKED_AT_MOST = 1 << 30
LINE_AT_MOST = 1 << 20
CHUNK = 1 << 16

_GZIP = b"\x1f\x8b"


class Stopped(Exception):
    """The process that reads the file is to stop."""


class Upload:
    """The bytes of an upload, packed by gzip: an `input_file.InputFile`.

    Reading raises UnreadableFile if it has more than UNPACKED_AT_MOST bytes unpacked, or a line of more than
    LINE_AT_MOST bytes. It raises Stopped as soon as `stopping` returns True.
    """

    def __init__(
        self,
        packed: bytes,
        *,
        size: int | None = None,
        content_hash: str = "",
        stopping: Callable[[], bool] = never_stopping,
    ) -> None:
        self.packed, self._stopping = packed, stopping
        self.size, self.content_hash = size, content_hash

    @contextmanager
    def rows(self, columns: Sequence[str], on_bytes: BytesRead) -> Iterator[Iterator[Row | Fault]]:
        """Yield the rows under the header `columns`, and report the packed bytes read to `on_bytes`.

        The file is first unpacked once to its end, which takes seconds: of a file that is too large, no row is used.
        """
        self._measure()
        with self._rows(columns, on_bytes) as rows:
            yield rows

    def require_header(self, columns: Sequence[str]) -> None:
        """Read the beginning, and raise UnreadableFile if it is not the header `columns`."""
        with self._rows(columns, lambda read, of: None) as rows:
            next(rows, None)

    def _measure(self) -> None:
        """Raise UnreadableFile if the file or a line is too large."""

        def look() -> None:
            if self._stopping():
                raise Stopped

        # If the file cannot be unpacked, reading its rows reports it.
        with (
            suppress(EOFError, zlib.error, OSError),
            gzip.GzipFile(fileobj=io.BytesIO(self.packed)) as unpacked,
        ):
            whole, piece = _Bounded(unpacked, look), bytearray(CHUNK)
            while whole.readinto(piece):
                pass

    @contextmanager
    def _rows(self, columns: Sequence[str], on_bytes: BytesRead) -> Iterator[Iterator[Row | Fault]]:
        packed = io.BytesIO(self.packed)

        def look() -> None:
            if self._stopping():
                raise Stopped
            on_bytes(packed.tell(), len(self.packed))

        with (
            gzip.GzipFile(fileobj=packed) as unpacked,
            io.BufferedReader(_Bounded(unpacked, look), CHUNK) as file,
            closing(csv_reader.read_rows(file, columns)) as rows,
        ):
            yield rows


def pack(file: BinaryIO) -> Upload:
    """Return the upload of all bytes of `file`, packed by gzip. A file that is already packed stays as it is."""
    content, digest, size = io.BytesIO(), sha256(), 0
    file.seek(0)
    is_packed = file.read(len(_GZIP)) == _GZIP
    file.seek(0)
    target: BinaryIO = content if is_packed else gzip.GzipFile(fileobj=content, mode="wb", mtime=0)  # type: ignore[assignment]
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        size += len(chunk)
        target.write(chunk)
    if not is_packed:
        target.close()
    return Upload(content.getvalue(), size=size, content_hash=digest.hexdigest())


class _Bounded(io.RawIOBase):
    """A stream of unpacked bytes that raises UnreadableFile over the limits. `look` is called before each piece."""

    def __init__(self, unpacked: gzip.GzipFile, look: Callable[[], None]) -> None:
        self._unpacked, self._look = unpacked, look
        self._count = self._line = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._look()
        view = memoryview(buffer).cast("B")
        piece = self._unpacked.read(len(view))
        count = len(piece)
        view[:count] = piece
        self._count += count
        if self._count > UNPACKED_AT_MOST:
            raise UnreadableFile(
                f"Unpacked, the file is larger than {UNPACKED_AT_MOST >> 30} GB: split it, or import it by command."
            )
        end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
        self._line = self._line + count if end < 0 else count - end
        if self._line > LINE_AT_MOST:
            raise UnreadableFile(f"A line is longer than {LINE_AT_MOST >> 20} MB: this is no such CSV file.")
        return count
