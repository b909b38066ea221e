"""Write and remove the entries of a journal, with their attachments."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Model, Sum

from common import locks
from participants.models import Attachment, JournalEntry, Participant

MAX_TEXT = 5_000
MAX_FILES = 5
MAX_FILE_BYTES = 5_000_000
"""The largest attachment."""
MAX_PARTICIPANT_BYTES = 100_000_000
"""All attachments in the journals that concern one participant."""

UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069/\\]")
"""Characters that no name of a file has: path separators, control characters, and those that reverse the text."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach: its name and its content."""

    name: str
    content: bytes


@transaction.atomic
def write(
    about: Model,
    text: str,
    *,
    author: str,
    participants: Collection[int],
    files: Sequence[File] = (),
    is_follow_up: bool = False,
) -> JournalEntry:
    """Add an entry to the journal of an object.

    Args:
        about: The participant, conflict or contract.
        text: The comment; may be empty when there are files.
        author: Who writes it.
        participants: The primary keys of the participants that the object concerns.
        files: The attachments.
        is_follow_up: The text says how the follow-up changed; it is no comment.

    Raises:
        ValidationError: There is neither text nor file, one of them is too large, or the attachments of one of the
            participants would be.
    """
    text = text.strip()
    if not text and not files:
        raise ValidationError("Write a comment, or choose a file.")
    if len(text) > MAX_TEXT:
        raise ValidationError(f"A comment has at most {MAX_TEXT:,} characters; this one has {len(text):,}.")
    _check_sizes(files)
    if files:
        _check_total(sorted(participants), sum(len(file.content) for file in files))
    entry = JournalEntry.objects.create(
        content_type=ContentType.objects.get_for_model(about),
        object_pk=str(about.pk),
        author=author[:150],
        text=text,
        is_follow_up=is_follow_up,
        participants=sorted(participants),
    )
    Attachment.objects.bulk_create(
        Attachment(entry=entry, name=safe_name(file.name), size=len(file.content), content=file.content)
        for file in files
    )
    return entry


@transaction.atomic
def remove(entry: JournalEntry, *, by: str, now: datetime) -> None:
    """Remove the text and the attachments of a comment; who wrote it, and who removed it, stays.

    Raises:
        ValidationError: The comment is removed already, or the entry is a change of the follow-up.
    """
    if entry.is_follow_up:
        raise ValidationError("This says how the follow-up changed: it stays.")
    removed = JournalEntry.objects.filter(pk=entry.pk, removed_at=None).update(
        text="", removed_by=by[:150], removed_at=now
    )
    if not removed:
        raise ValidationError("This entry is removed already.")
    Attachment.objects.filter(entry=entry).delete()


def attached_bytes(participant: Participant | int) -> int:
    """Return the size of all attachments in the journals that concern a participant."""
    pk = participant.pk if isinstance(participant, Participant) else participant
    total = Attachment.objects.filter(entry__participants__contains=[pk]).aggregate(total=Sum("size"))
    return int(total["total"] or 0)


def safe_name(name: str) -> str:
    """Return a name for a downloaded file, without path and control characters, of at most 200 characters."""
    plain = UNSAFE.sub("_", name).strip(" .") or "file"
    stem, dot, suffix = plain.rpartition(".")
    if len(plain) <= 200:
        return plain
    return f"{stem[: 199 - len(suffix)]}.{suffix}" if dot and len(suffix) <= 20 else plain[:200]


def size_in_words(size: int) -> str:
    """Return a size in words: `512 bytes`, `1.4 kB`, `5 MB`."""
    if size < 1_000:
        return f"{size} bytes"
    number, unit = (size / 1_000, "kB") if size < 1_000_000 else (size / 1_000_000, "MB")
    return f"{f'{number:,.1f}'.removesuffix('.0')} {unit}"


def _check_sizes(files: Sequence[File]) -> None:
    if len(files) > MAX_FILES:
        raise ValidationError(f"At most {MAX_FILES} files go with one comment.")
    for file in files:
        if not file.content:
            raise ValidationError(is_empty(file.name))
        if len(file.content) > MAX_FILE_BYTES:
            raise ValidationError(too_large(file.name, len(file.content)))


def is_empty(name: str) -> str:
    """Return the error for a file without content."""
    return f"{safe_name(name)} is empty."


def too_large(name: str, size: int) -> str:
    """Return the error for a file of `size` bytes, which is too large."""
    return f"{safe_name(name)} has {size_in_words(size)}: a file has at most {size_in_words(MAX_FILE_BYTES)}."


def _check_total(participants: Sequence[int], more: int) -> None:
    """Raise ValidationError if `more` bytes are too many for one of the participants.

    Until the commit, nobody else attaches a file for them: otherwise two could fill the same space.
    """
    with connection.cursor() as cursor:
        for pk in participants:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [locks.ATTACHMENTS, pk % 2**31])
    for pk in participants:
        if (there := attached_bytes(pk)) + more > MAX_PARTICIPANT_BYTES:
            raise ValidationError(
                f"The attachments of {Participant.objects.get(pk=pk)} have {size_in_words(there)} already, of at most"
                f" {size_in_words(MAX_PARTICIPANT_BYTES)}: remove entries with attachments first."
            )
