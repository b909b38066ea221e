"""Read operators' CSV files row by row, and report faults by line (docs/operating.md, CSV files).

Files are UTF-8 with or without a byte order mark, separated by commas or semicolons, plain or packed by gzip. LF, CRLF
and a single CR end a line, also inside quotes: a row is one line, so an unclosed quote makes no other line bad.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

STANDARD_INPUT = "-"

_GZIP = b"\x1f\x8b"
_QUOTED = re.compile(r'"[^"]*"')
_TO_SPREADSHEETS = re.compile(r'"?sep=.?"?[\r\n]*', re.IGNORECASE)
_UNDECODED = re.compile("[\udc80-\udcff]")
_BLANKS = " \t"
"""What is removed around values. No other white space is: it is a fault of the value (docs/rules.md E1)."""
_BINARY = ("PK\x03\x04", "\udcd0\udccf\x11")
_SAVE = "save the file as CSV in UTF-8."
_COMPLAINTS = {
    "field larger than": "A field is far too long.",
    "expected after": "A quoted field goes on after its closing quote; a quote inside a field is written twice.",
}
_OPEN = "A quote is opened here and not closed on its line."
_STRAY = "A quote stands in a field that is not quoted; quote the field, and write the quote inside it twice."
ALIKE = 0.6
"""A header that shares so much with a kind of file is said to be of that kind."""

_CUT_OFF = "It is the last line: is the file cut off?"


class RegisteredHeader(NamedTuple):
    """What files with certain columns hold, and how such a file is imported, in words for people."""

    what: str
    advice: str


_registered_headers: dict[frozenset[str], RegisteredHeader] = {}


class UnreadableFile(ValueError):
    """The whole file is unusable: it cannot be opened or unpacked, or its header is not the required one."""


class UnreadableLine(ValueError):
    """A line cannot be split into its fields. The text is the reason."""


class Row(NamedTuple):
    """A row: its line number, from 1, and its values by column, without blanks and tabs around them."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a line, and its column; the column is empty if the fault is of the whole line."""

    line: int
    column: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}{self.column and f', column {self.column}'}: {self.text}"


def register_header(columns: Iterable[str], what: str, advice: str) -> None:
    """Register what a file with these `columns` holds, for the message where another file is required."""
    _registered_headers[frozenset(columns)] = RegisteredHeader(what, advice)


def file_name(path: str) -> str:
    """Return the file's name without its folder, as imports record it."""
    return "standard input" if path == STANDARD_INPUT else Path(path).name


@contextmanager
def unpack(packed: io.BufferedReader[Any]) -> Iterator[BinaryIO]:
    """Unpack an open file if gzip packed it."""
    if not packed.peek(len(_GZIP)).startswith(_GZIP):
        yield packed
        return
    with gzip.GzipFile(fileobj=packed) as file:
        yield io.BufferedReader(file)


def read_rows(file: BinaryIO, columns: Sequence[str]) -> Generator[Row | Fault, None, None]:
    """Yield each row after the header, or the fault of its line. Skip lines without any value.

    Args:
        file: The unpacked bytes.
        columns: The header must name each once, in any order and case. A line `sep=;` may stand before it. Empty
            columns after the last one, as spreadsheets write them, are ignored.

    Raises:
        UnreadableFile: The header does not name the columns, or the file cannot be read to its end.
    """
    lines = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        first = lines.readline()
        before = 1 if _TO_SPREADSHEETS.fullmatch(first) else 0
        if before:
            first = lines.readline()
        split = _splitter(_delimiter(first))
        header = _header(split, columns, first, before + 1)
        short: Fault | None = None
        for line, text in enumerate(lines, before + 2):
            if short:
                yield short
                short = None
            try:
                cells = split(text)
            except UnreadableLine as wrong:
                yield Fault(line, "", str(wrong))
                continue
            if len(cells) > len(header) and not "".join(cells[len(header) :]).strip(_BLANKS):
                del cells[len(header) :]
            whole = "".join(cells)
            if len(cells) == len(header) and whole.isascii() and "\0" not in whole:
                values = dict(zip(header, [cell.strip(_BLANKS) for cell in cells], strict=True))
                if any(values.values()):
                    yield Row(line, values)
            elif whole.strip(_BLANKS) and len(cells) < len(header):
                short = _of_other_length(line, header, cells)
            elif whole.strip(_BLANKS):
                yield from _row(line, header, cells)
        if short:
            yield replace(short, text=f"{short.text} {_CUT_OFF}")
    except (EOFError, zlib.error, OSError) as error:
        raise UnreadableFile(f"The file cannot be read to its end: {error}.") from None
    finally:
        lines.detach()


def _delimiter(header: str) -> str:
    unquoted = _QUOTED.sub("", header)
    return ";" if unquoted.count(";") > unquoted.count(",") else ","


def _splitter(delimiter: str) -> Callable[[str], list[str]]:
    """Return a function that splits a line into its fields, or raises UnreadableLine."""
    waiting: list[str] = []
    # If a quote is open at the end of the line, the reader asks for another line. There is none: an IndexError.
    reader = csv.reader(iter(waiting.pop, None), strict=True, delimiter=delimiter)
    quoted = re.compile(rf'(?:^|{delimiter})"[^"]*(?:""[^"]*)*"')

    def split(text: str) -> list[str]:
        waiting.append(text)
        try:
            cells = next(reader)
        except IndexError:
            raise UnreadableLine(_OPEN) from None
        except csv.Error as error:
            raise UnreadableLine(_complaint(error)) from None
        if '"' in text and '"' in "".join(cells) and '"' in quoted.sub("", text):
            raise UnreadableLine(_STRAY)
        return cells

    return split


def _header(split: Callable[[str], list[str]], columns: Sequence[str], text: str, line: int) -> list[str]:
    """Return the columns that the header `text`, on line `line`, names. Raise UnreadableFile if they are others."""
    wanted = f"Wanted are, in any order: {','.join(columns)}."
    if text.startswith(_BINARY):
        raise UnreadableFile(f"This is an Excel workbook or a zip file, and no CSV: {_SAVE}")
    try:
        header = [cell.strip().lower() for cell in split(text)]
    except UnreadableLine as wrong:
        raise UnreadableFile(f"line {line}: This does not name the columns. {wrong} {wanted}") from None
    while len(header) > 1 and not header[-1]:
        header.pop()
    if any(_UNDECODED.search(cell) or "\0" in cell for cell in header):
        raise UnreadableFile(f"line {line}: This is not UTF-8: {_SAVE}")
    if not any(header):
        raise UnreadableFile(f"line {line}: This does not name the columns. {wanted}")
    if len(header) == 1 and "\t" in header[0]:
        raise UnreadableFile(
            f"line {line}: Columns are separated by commas or semicolons, and not by tabs. {wanted}"
        )
    differences = {
        "missing": [name for name in columns if name not in header],
        "unknown": [repr(name) for name in dict.fromkeys(header) if name not in columns],
        "named more than once": [name for name, times in Counter(header).items() if times > 1],
    }
    if any(differences.values()):
        differing = "; ".join(f"{what}: {', '.join(names)}" for what, names in differences.items() if names)
        other = None if differences["named more than once"] else _most_similar(header, columns)
        these = f"{differing.capitalize()}."
        if other is not None and other != frozenset(columns):
            what, advice = _registered_headers[other]
            whose = (
                "These are the columns of" if other == frozenset(header) else "Most of these are columns of"
            )
            these = f"{whose} {what}: {advice}"
        raise UnreadableFile(f"line {line}: This names other columns than wanted. {these} {wanted}")
    return header


def _most_similar(header: Sequence[str], wanted: Sequence[str]) -> frozenset[str] | None:
    """Return the columns of the registered kind of file that `header` is most like; None if it is like none.

    A header is like a kind if they share ALIKE of all their columns. In doubt it is the wanted kind.
    """

    def likeness(columns: frozenset[str]) -> tuple[float, bool]:
        return len(columns & names) / len(columns | names), columns == frozenset(wanted)

    names = frozenset(header)
    best = max([frozenset(wanted), *_registered_headers], key=likeness)
    return best if likeness(best)[0] >= ALIKE else None


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
    yield Row(line, {column: cell.strip(_BLANKS) for column, cell in zip(header, cells, strict=True)})


def _of_other_length(line: int, header: Sequence[str], cells: Sequence[str]) -> Fault:
    fields = "1 field" if len(cells) == 1 else f"{len(cells)} fields"
    return Fault(line, "", f"{fields}, where the header has {len(header)}.")


def _complaint(error: csv.Error) -> str:
    found = [text for words, text in _COMPLAINTS.items() if words in str(error)]
    return found[0] if found else f"{error}."
