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
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

STANDARD_INPUT = "-"

_GZIP = b"\x1f\x8b"
_QUOTED = re.compile(r'"[^"]*"')
_UNDECODED = re.compile("[\udc80-\udcff]")
_COMPLAINTS = {
    "unexpected end of data": "A quote is opened here and not closed.",
    "field larger than": "A field is far too long: a quote that is opened and not closed?",
    "expected after": "A quoted field goes on after its closing quote; a quote inside a field is written twice.",
}


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

    The header, the first line, names each of `columns` once, in any order. Raises UnreadableFile where it does not,
    and where the file cannot be read to its end.
    """
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        first = lines.readline()
        reader = csv.reader(chain([first], lines), strict=True, delimiter=_delimiter(first))
        header = _header(reader, columns)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except csv.Error as error:
                yield Fault(line, "", _complaint(error))
                continue
            except StopIteration:
                return
            whole = "".join(cells)
            if len(cells) == len(header) and whole.isascii() and "\0" not in whole:
                values = dict(zip(header, map(str.strip, cells), strict=True))
                if any(values.values()):
                    yield Row(line, values)
            elif whole.strip():
                yield from _row(line, header, cells)
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableFile(f"The file cannot be read to its end: {error}.") from None
    finally:
        lines.detach()


def _delimiter(header: str) -> str:
    unquoted = _QUOTED.sub("", header)
    return ";" if unquoted.count(";") > unquoted.count(",") else ","


def _header(reader: Iterator[list[str]], columns: Sequence[str]) -> list[str]:
    wanted = f"Wanted are, in any order: {','.join(columns)}"
    try:
        header = [cell.strip() for cell in next(reader, [])]
    except csv.Error as error:
        raise UnreadableFile(
            f"line 1: This does not name the columns. {_complaint(error)} {wanted}"
        ) from None
    if any(_UNDECODED.search(cell) or "\0" in cell for cell in header):
        raise UnreadableFile("line 1: This is not UTF-8: save the file as CSV in UTF-8.")
    if not any(header):
        raise UnreadableFile(f"line 1: This does not name the columns. {wanted}")
    wrong = {
        "missing": [name for name in columns if name not in header],
        "unknown": [repr(name) for name in dict.fromkeys(header) if name not in columns],
        "named more than once": [name for name, times in Counter(header).items() if times > 1],
    }
    if any(wrong.values()):
        said = "; ".join(f"{what}: {', '.join(names)}" for what, names in wrong.items() if names)
        raise UnreadableFile(f"line 1: This names other columns than wanted. {said.capitalize()}. {wanted}")
    return header


def _row(line: int, header: Sequence[str], cells: Sequence[str]) -> Iterator[Row | Fault]:
    if len(cells) != len(header):
        yield Fault(line, "", f"{len(cells)} fields, where the header has {len(header)}.")
        return
    faults = []
    whole = "".join(cells)
    if "\0" in whole or _UNDECODED.search(whole):
        for column, cell in zip(header, cells, strict=True):
            if "\0" in cell:
                faults.append(Fault(line, column, "This holds a NUL byte."))
            elif _UNDECODED.search(cell):
                faults.append(Fault(line, column, "This is not UTF-8."))
    if faults:
        yield from faults
        return
    yield Row(line, {column: cell.strip() for column, cell in zip(header, cells, strict=True)})


def _complaint(error: csv.Error) -> str:
    found = [text for words, text in _COMPLAINTS.items() if words in str(error)]
    return found[0] if found else f"{error}."
