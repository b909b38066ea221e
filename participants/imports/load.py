"""Import a file of participants: all of it, or nothing (docs/operating.md, CSV files; docs/rules.md I1 to I4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from django.db import IntegrityError, connection, transaction
from django.db.models import Model

from common.csv.importing import MAX_SENTENCES, ImportRequest, Plan, fingerprint, refuse_shrinking
from common.csv.reader import Fault, Row
from common.csv.rejects import RejectRow, in_order
from common.csv.spreadsheets import near_duplicates
from common.retry import LostRace, sqlstate
from participants import edits
from participants.imports.comparison import SUSPENDABLE, ParticipantChange, compare, suspend
from participants.imports.lines import PARTICIPANT_COLUMNS, check_repetitions, read
from participants.models import AuditEntry, Participant, PublicKey

M = TypeVar("M", bound=Model)

__all__ = ["PARTICIPANT_COLUMNS", "ParticipantImporter"]

BATCH_SIZE = 2_000
"""Rows that are inserted by one statement."""

UNIQUE_VIOLATION = "23505"

CHANGE_PARTICIPANTS = """
UPDATE participants_participant p SET name = v.name, endpoint = v.endpoint, standing = v.standing
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[]) AS v (id, name, endpoint, standing)
WHERE p.id = v.id
"""

CHANGE_KEYS = """
UPDATE participants_publickey k SET valid_from = v.valid_from, valid_until = v.valid_until
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS v (id, valid_from, valid_until)
WHERE k.id = v.id
"""


@dataclass
class ParticipantImporter:
    """Add and change the participants of a file, which is read with PARTICIPANT_COLUMNS.

    An empty endpoint or name is stored as empty. An empty standing leaves a participant as it is; a new participant is
    authorized then. Keys that a line names become valid beside the others from now on; keys that have not ended stay
    as they are.

    A full file suspends the participants that it does not name, unless they are barred. It also ends the keys that a
    line which names some leaves out. If bad lines are skipped, it does neither.

    The file's name and the reason go into the audit trail with each participant and key. A participant or key that
    somebody else added meanwhile is a lost race.
    """

    request: ImportRequest
    can_skip: bool = field(default=True, init=False)
    changed: ClassVar[str] = "The participants have"

    def __post_init__(self) -> None:
        self.reason = "\n".join(filter(None, (self.request.file_name, self.request.reason)))

    def read(self, rows: Iterable[Row | Fault]) -> int:
        """Read the lines, and return how many there are."""
        self.lines = read(rows)
        return self.lines.count

    def check(self) -> None:
        """Find participants whose lines differ."""
        check_repetitions(self.lines)

    def compare(self) -> list[RejectRow]:
        """Compare the lines with the stored participants, and return all that is wrong."""
        full, now = self.request.options.full, self.request.now
        self.named, self.unnamed = compare(self.lines, full=full, now=now, reason=self.reason)
        return in_order(self.lines.faults, PARTICIPANT_COLUMNS)

    def plan(self) -> Plan:
        """Return what changes, including the participants that a full file suspends."""
        suspended = [change for row in self.unnamed if (change := suspend(row, self.reason))]
        if suspended:
            total = Participant.objects.filter(standing__in=SUSPENDABLE).count()
            what = "known and authorized participants"
            refuse_shrinking(self.request.options, len(suspended), total, what, "suspend")
        self.changes = [change for change in self.named if change] + suspended
        return Plan(
            counts=_counts(self.named, suspended),
            warnings=[*_warnings(self.changes), *_near_duplicates(self.named)],
            sentences=(change.in_words() for change in self.changes),
            fingerprint=fingerprint("\n".join(sorted(change.fingerprint_text() for change in self.changes))),
        )

    def write(self) -> None:
        """Store the participants and keys, with an audit entry for each."""
        _write(self.changes, self.request.actor, self.reason)

    def finish(self) -> None:
        """Do nothing: there is no change of the registry to stamp."""


def _warnings(changes: Sequence[ParticipantChange]) -> Iterable[str]:
    if again := sum(len(change.revived_keys) for change in changes):
        yield f"{again:,} {'key that had ended is' if again == 1 else 'keys that had ended are'} valid again."


def _near_duplicates(changes: Sequence[ParticipantChange]) -> Iterator[str]:
    """Yield a warning if new participants have nearly the domain of another one in the same role."""
    new = [
        (change.participant.role, change.participant.domain) for change in changes if change.before is None
    ]
    if not new:
        return
    stored = Participant.objects.values_list("role", "domain")
    found = [
        f"{role} {domain} beside {other}" for role, domain, other in near_duplicates(new, stored.iterator())
    ]
    if found:
        more = f" and {len(found) - MAX_SENTENCES:,} more" if len(found) > MAX_SENTENCES else ""
        yield f"Nearly the same domain: {', '.join(found[:MAX_SENTENCES])}{more}"


def _counts(
    changes: Sequence[ParticipantChange], suspended: Sequence[ParticipantChange]
) -> Mapping[str, int]:
    new = sum(change.before is None for change in changes)
    changed = sum(bool(change) for change in changes) - new
    return {
        "new": new,
        "changed": changed,
        "unchanged": len(changes) - new - changed,
        "suspended": len(suspended),
        "keys added": sum(len(change.added) for change in changes),
        "keys ended": sum(len(change.ended) for change in changes),
    }


def _write(changes: Sequence[ParticipantChange], actor: str, reason: str) -> None:
    """Store the changes with their audit entries."""
    _insert(Participant, [change.participant for change in changes if change.before is None])
    _insert(PublicKey, [key for change in changes for key, before in change.added if before is None])
    entries: list[AuditEntry] = []
    participants, keys = [], []
    for change in changes:
        row = change.participant
        if change.before:
            participants.append((row.pk, row.name, row.endpoint, row.standing))
        if change.before is None or change.before:
            entries.append(edits.participant_entry(row, change.before, actor, reason))
        for key, before in [*change.added, *change.ended]:
            entries.append(edits.key_entry(key, before, actor, reason))
            if before is not None:
                keys.append((key.pk, key.valid_from, key.valid_until))
    with connection.cursor() as cursor:
        for statement, rows in ((CHANGE_KEYS, keys), (CHANGE_PARTICIPANTS, participants)):
            if rows:
                cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])
    AuditEntry.objects.bulk_create(entries, batch_size=BATCH_SIZE)


def _insert(model: type[M], rows: Sequence[M]) -> None:
    """Add the rows. Raise LostRace if somebody else has added one of them meanwhile."""
    try:
        with transaction.atomic():
            model._default_manager.bulk_create(rows, batch_size=BATCH_SIZE)
    except IntegrityError as error:
        if sqlstate(error) == UNIQUE_VIOLATION:
            raise LostRace from error
        raise
