"""CSV files of operators, read row by row; what is wrong in one is said by its line (docs/operating.md, CSV files).

UTF-8 with or without a byte order mark, comma or semicolon, quoted fields, LF or CRLF, plain or packed by gzip.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import sys
import zlib
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

STANDARD_INPUT = "-"

_GZIP = b"\x1f\x8b"
_QUOTED = re.compile(r'"[^"]*"')
_TO_SPREADSHEETS = re.compile(r'"?sep=.?"?[\r\n]*', re.IGNORECASE)
_UNDECODED = re.compile("[\udc80-\udcff]")
_BINARY = ("PK\x03\x04", "\udcd0\udccf\x11")
_SAVE = "save the file as CSV in UTF-8."
_COMPLAINTS = {
    "unexpected end of data": "A quote is opened here and not closed.",
    "field larger than": "A field is far too long: a quote that is opened and not closed?",
    "expected after": "A quoted field goes on after its closing quote; a quote inside a field is written twice.",
}


_known: dict[frozenset[str], str] = {}


class UnreadableFile(ValueError):
    """A file of which nothing can be taken: it cannot be opened or unpacked, or has another header than wanted."""


class Row(NamedTuple):
    """A row: the number of the line on which it begins, from 1; its values by column, without blanks around them."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong on a line, and in which column of it; empty: with the line as a whole."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}{self.column and f', column {self.column}'}: {self.text}"


def know(columns: Iterable[str], what: str) -> None:
    """Have files with these columns called by `what` they hold, where others are wanted."""
    _known[frozenset(columns)] = what


def name_of(path: str) -> str:
    """What the file is called on the record: its name without its folder."""
    return "standard input" if path == STANDARD_INPUT else Path(path).name


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """The bytes of the file, unpacked where gzip packed them; `-` is standard input. Raises UnreadableFile."""
    standard_input = path == STANDARD_INPUT
    try:
        packed = open(  # noqa: SIM115
            sys.stdin.fileno() if standard_input else path, "rb", closefd=not standard_input
        )
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be opened: {error.strerror}.") from None
    with packed, unpacked(packed) as file:
        yield file


@contextmanager
def unpacked(packed: io.BufferedReader[Any]) -> Iterator[BinaryIO]:
    """The bytes of an open file, unpacked where gzip packed them."""
    if not packed.peek(len(_GZIP)).startswith(_GZIP):
        yield packed
        return
    with gzip.GzipFile(fileobj=packed) as file:
        yield io.BufferedReader(file)


def rows(file: BinaryIO, columns: Sequence[str]) -> Generator[Row | Fault, None, None]:
    """Each row after the header, or what is wrong in its line; rows without any value are passed over.

    The header, the first line but for a `sep=;` to spreadsheets, names each of `columns` once, in any order and case.
    Raises UnreadableFile where it does not, and where the file cannot be read to its end.
    """
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        first = lines.readline()
        before = 1 if _TO_SPREADSHEETS.fullmatch(first) else 0
        if before:
            first = lines.readline()
        reader = csv.reader(chain([first], lines), strict=True, delimiter=_delimiter(first))
        header = _header(reader, columns, first, before + 1)
        short: Fault | None = None
        while True:
            line = reader.line_num + before + 1
            cells, wrong = _next(reader, line)
            if short:
                cut = "" if cells is not None or wrong else " It is the last line: is the file cut off?"
                yield replace(short, text=short.text + cut)
                short = None
            if wrong:
                yield wrong
                continue
            if cells is None:
                return
            whole = "".join(cells)
            if len(cells) == len(header) and whole.isascii() and "\0" not in whole:
                values = dict(zip(header, map(str.strip, cells), strict=True))
                if any(values.values()):
                    yield Row(line, values)
            elif whole.strip() and len(cells) < len(header):
                short = _of_other_length(line, header, cells)
            elif whole.strip():
                yield from _row(line, header, cells)
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableFile(f"The file cannot be read to its end: {error}.") from None
    finally:
        lines.detach()


def _delimiter(header: str) -> str:
    unquoted = _QUOTED.sub("", header)
    return ";" if unquoted.count(";") > unquoted.count(",") else ","


def _next(reader: Iterator[list[str]], line: int) -> tuple[list[str] | None, Fault | None]:
    """The fields of the next row, None after the last one, or what is wrong with them."""
    try:
        return next(reader, None), None
    except csv.Error as error:
        return None, Fault(line, "", _complaint(error))


def _header(reader: Iterator[list[str]], columns: Sequence[str], text: str, line: int) -> list[str]:
    """The columns that the header names, which is `text` and on this line. Raises UnreadableFile."""
    wanted = f"Wanted are, in any order: {','.join(columns)}."
    if text.startswith(_BINARY):
        raise UnreadableFile(f"This is an Excel workbook or a zip file, and no CSV: {_SAVE}")
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
    except csv.Error as error:
        raise UnreadableFile(
            f"line {line}: This does not name the columns. {_complaint(error)} {wanted}"
        ) from None
    if any(_UNDECODED.search(cell) or "\0" in cell for cell in header):
        raise UnreadableFile(f"line {line}: This is not UTF-8: {_SAVE}")
    if not any(header):
        raise UnreadableFile(f"line {line}: This does not name the columns. {wanted}")
    if len(header) == 1 and "\t" in header[0]:
        raise UnreadableFile(
            f"line {line}: Columns are separated by commas or semicolons, and not by tabs. {wanted}"
        )
    wrong = {
        "missing": [name for name in columns if name not in header],
        "unknown": [repr(name) for name in dict.fromkeys(header) if name not in columns],
        "named more than once": [name for name, times in Counter(header).items() if times > 1],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {', '.join(names)}" for what, names in wrong.items() if names)
        what = None if wrong["named more than once"] else _known.get(frozenset(header))
        these = f"These are the columns of {what}" if what else said.capitalize()
        raise UnreadableFile(f"line {line}: This names other columns than wanted. {these}. {wanted}")
    return header


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> Iterator[Row | Fault]:
    if len(cells) != len(header):
        yield _of_other_length(line, header, cells)
        return
    faults = []
    whole = "".join(cells)
    if "\0" in whole or _UNDECODED.search(whole):
        for column, cell in zip(header, cells, strict=True):
            if "\0" in cell:
                faults.append(Fault(line, column, "This holds a NUL byte."))
            elif _UNDECODED.search(cell):
                faults.append(Fault(line, column, f"This is not UTF-8: {_SAVE}"))
    if faults:
        yield from faults
        return
    yield Row(line, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})


def _of_other_length(line: int, header: Sequence[str], cells: Sequence[str]) -> Fault:
    fields = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
    return Fault(line, "", f"{fields}, where the header has {len(header)}.")


def _complaint(error: csv.Error) -> str:
    found = [text for words, text in _COMPLAINTS.items() if words in str(error)]
    return found[0] if found else f"{error}."
