"""The rejects of a file: bad lines and the reasons. They lie on disk, since they may be as large as the file."""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

HEADER = ("line", "column", "rule", "value")
LONGEST_VALUE = 200

RejectRow = tuple[int, str, str, str]
"""Line, column, rule and value of a reject."""


@dataclass(frozen=True, slots=True, order=True)
class Reject:
    """Why a line was not imported.

    Attributes:
        line: Counts from 1, which is the header.
        column: Empty if the reason is about the whole line.
        rule: The rule's code and text, or sentences that quote the value.
        value: The text that the rule is about, cut to LONGEST_VALUE characters.
    """

    line: int
    column: str
    rule: str
    value: str

    def __str__(self) -> str:
        place = f"line {self.line}{self.column and f', column {self.column}'}"
        value = "" if self.rule.endswith(".") else self.value
        return f"{place}: {self.rule}{value and f': {value}'}"


@dataclass
class Rejects:
    """The rejects of one file, in the order of its lines.

    A temporary file holds them. It disappears with this object or with the process.
    """

    first: list[Reject] = field(default_factory=list)
    lines: int = 0
    count: int = 0
    max_in_memory: int = 100
    _file: BinaryIO = field(default_factory=tempfile.TemporaryFile, repr=False)

    def replace_all(self, rejects: Iterable[RejectRow]) -> None:
        """Replace the content by `rejects`, which are sorted by line."""
        self.first, self.lines, self.count = [], 0, 0
        self._file.seek(0)
        self._file.truncate()
        text = io.TextIOWrapper(self._file, encoding="utf-8", newline="", write_through=False)
        try:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(HEADER)
            latest = 0
            for line, column, rule, value in rejects:
                reject = Reject(line, column, rule, value[:LONGEST_VALUE])
                writer.writerow((reject.line, reject.column, reject.rule, reject.value))
                if self.count < self.max_in_memory:
                    self.first.append(reject)
                self.count += 1
                self.lines += line != latest
                latest = line
        finally:
            text.flush()
            text.detach()

    def write_csv(self, file: BinaryIO) -> None:
        """Write all rejects to `file` as CSV in UTF-8, with the header `line,column,rule,value`."""
        self._file.seek(0)
        shutil.copyfileobj(self._file, file)

    def __len__(self) -> int:
        return self.count


def in_order(rejects: Iterable[RejectRow], columns: Sequence[str]) -> list[RejectRow]:
    """Sort rejects by line, then by column as in the file; those about a whole line come first."""
    places = {column: place for place, column in enumerate(columns)}
    return sorted(rejects, key=lambda reject: (reject[0], places.get(reject[1], -1)))
