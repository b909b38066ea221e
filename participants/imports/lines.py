"""Read the lines of a file of participants (docs/operating.md, CSV files)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.text import capfirst

from common.csv.reader import Fault, Row
from participants.keys import PREFIX, InvalidKey, parse_public_key

PARTICIPANT_COLUMNS = ("role", "domain", "public_key", "endpoint", "standing", "name")

Party = tuple[str, str]
"""The role and the domain of a participant."""


@dataclass(frozen=True, slots=True)
class ParticipantLine:
    """The values of one line.

    Attributes:
        standing: Empty if the line leaves it as it is.
        keys: The texts of the keys, by their 32 bytes; empty if the line leaves them as they are.
    """

    line: int
    role: str
    domain: str
    endpoint: str
    standing: str
    name: str
    keys: dict[bytes, str]

    @property
    def party(self) -> Party:
        """Return the role and the domain."""
        return self.role, self.domain

    def values(self) -> tuple[object, ...]:
        """Return the values that must be equal on all lines of one participant."""
        return self.endpoint, self.standing, self.name, frozenset(self.keys)


@dataclass
class Lines:
    """The lines of a file of participants.

    Attributes:
        count: How many lines have values.
        wanted: The lines that can be read, without repetitions.
        faults: Line, column, rule and value of each fault, unsorted.
    """

    count: int = 0
    wanted: list[ParticipantLine] = field(default_factory=list)
    faults: list[tuple[int, str, str, str]] = field(default_factory=list)

    def fault(self, line: int, column: str, rule: str, value: str = "") -> None:
        """Add a fault of a line. Words that could be a key are left out, since it may be a private one."""
        for word in value.split():
            if _may_be_key(word):
                rule, value = rule.replace(word, "…"), value.replace(word, "…")
        self.faults.append((line, column, rule, value))


def read(rows: Iterable[Row | Fault]) -> Lines:
    """Return the lines of a file whose rows were read with PARTICIPANT_COLUMNS."""
    lines = Lines()
    seen: dict[Party, list[ParticipantLine]] = {}
    for row in rows:
        lines.count += 1
        if isinstance(row, Fault):
            lines.fault(row.line, row.column, f"file: {row.text}")
            continue
        party = row.values["role"], row.values["domain"]
        endpoint, standing, name = (row.values[column] for column in ("endpoint", "standing", "name"))
        wanted = ParticipantLine(row.line, *party, endpoint, standing, name, _keys(lines, row))
        before = seen.setdefault(party, [])
        if all(wanted.values() != other.values() for other in before):
            before.append(wanted)
            lines.wanted.append(wanted)
    return lines


def check_repetitions(lines: Lines) -> None:
    """Add a fault to each line of a participant whose lines differ."""
    named: dict[Party, list[ParticipantLine]] = {}
    for wanted in lines.wanted:
        named.setdefault(wanted.party, []).append(wanted)
    for each in named.values():
        for wanted in each if len(each) > 1 else ():
            other = next(other for other in each if other is not wanted)
            rule = f"participant: line {other.line} states other values for it; state it once"
            lines.fault(wanted.line, "", rule, " ".join(wanted.party))


def _keys(lines: Lines, row: Row) -> dict[bytes, str]:
    """Return the keys that a row names; add a fault for each that is not a public key."""
    keys: dict[bytes, str] = {}
    texts = row.values["public_key"].split()
    for number, text in enumerate(texts, 1):
        try:
            keys.setdefault(parse_public_key(text), text)
        except InvalidKey as wrong:
            which = f"Key {number} of {len(texts)}: {wrong}" if len(texts) > 1 else capfirst(str(wrong))
            lines.fault(row.line, "public_key", f"public key: {which}.")
    return keys


def _may_be_key(word: str) -> bool:
    """Return whether `word` could be a key, public or private. A key is in another column if columns were shifted."""
    try:
        return len(base64.b64decode(word.removeprefix(PREFIX), validate=True)) >= 32
    except (binascii.Error, ValueError):
        return False
