"""What the lines of a file of participants say, before anything is compared (docs/operating.md, CSV files)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.utils.text import capfirst

from common.csv.reader import Fault, Row
from participants.keys import PREFIX, InvalidKey, parse_public_key

PARTICIPANT_COLUMNS = ("role", "domain", "public_key", "endpoint", "standing", "name")

Who = tuple[str, str]
"""The role and the domain of a participant."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a line says of a participant: an empty `standing` leaves it as it is, and so do no keys.

    `keys` are the texts of its keys by their 32 bytes.
    """

    line: int
    role: str
    domain: str
    endpoint: str
    standing: str
    name: str
    keys: dict[bytes, str]

    @property
    def who(self) -> Who:
        return self.role, self.domain

    def says(self) -> tuple[object, ...]:
        """What has to be the same where a file speaks of a participant twice."""
        return self.endpoint, self.standing, self.name, frozenset(self.keys)


@dataclass
class Lines:
    """What a file of participants says.

    `wanted`: what each line wants as far as it can be told, without repetitions. `faults` are (line, column, rule,
    value), unsorted.
    """

    count: int = 0
    wanted: list[Wanted] = field(default_factory=list)
    faults: list[tuple[int, str, str, str]] = field(default_factory=list)

    def fault(self, line: int, column: str, rule: str, value: str = "") -> None:
        """Note what is wrong with a line. Words that could be a key are left out, as it may be a private one."""
        for word in value.split():
            if _may_be_key(word):
                rule, value = rule.replace(word, "…"), value.replace(word, "…")
        self.faults.append((line, column, rule, value))


def read(rows: Iterable[Row | Fault]) -> Lines:
    """What the rows of a file say, read with PARTICIPANT_COLUMNS."""
    lines = Lines()
    said: dict[Who, list[Wanted]] = {}
    for row in rows:
        lines.count += 1
        if isinstance(row, Fault):
            lines.fault(row.line, row.column, f"file: {row.text}")
            continue
        who = row.values["role"], row.values["domain"]
        endpoint, standing, name = (row.values[column] for column in ("endpoint", "standing", "name"))
        wanted = Wanted(row.line, *who, endpoint, standing, name, _keys(lines, row))
        before = said.setdefault(who, [])
        if all(wanted.says() != other.says() for other in before):
            before.append(wanted)
            lines.wanted.append(wanted)
    return lines


def check_repetitions(lines: Lines) -> None:
    """Note a fault with each line of a participant about whom the lines differ."""
    named: dict[Who, list[Wanted]] = {}
    for wanted in lines.wanted:
        named.setdefault(wanted.who, []).append(wanted)
    for each in named.values():
        for wanted in each if len(each) > 1 else ():
            other = next(other for other in each if other is not wanted)
            rule = f"participant: line {other.line} says something else of it; say it once"
            lines.fault(wanted.line, "", rule, " ".join(wanted.who))


def _keys(lines: Lines, row: Row) -> dict[bytes, str]:
    """The keys that a row names, but for those that are none."""
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
    """Whether `word` could be a key, public or private: found in other columns where these have been shifted."""
    try:
        return len(base64.b64decode(word.removeprefix(PREFIX), validate=True)) >= 32
    except (binascii.Error, ValueError):
        return False
