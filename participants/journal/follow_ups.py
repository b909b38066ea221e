"""Say who looks after an object of the journal, and until which day it waits. The journal keeps each change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from typing import TypeVar

from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import CharField, Exists, Model, OuterRef, QuerySet
from django.db.models.functions import Cast

from participants.journal import entries
from participants.models import FollowUp
from participants.scope import MODEL_BACKEND, who_see_any

M = TypeVar("M", bound=Model)


def of(about: Model) -> FollowUp | None:
    """Return the follow-up of an object; None when nobody is assigned and it waits for no day."""
    return FollowUp.objects.about(about).select_related("assignee").first()


def of_all(rows: Sequence[M]) -> dict[M, FollowUp]:
    """Return the follow-ups of the rows of one table that have one; one query."""
    if not rows:
        return {}
    kind = ContentType.objects.get_for_model(rows[0])
    keys = {str(row.pk): row for row in rows}
    found = FollowUp.objects.filter(content_type=kind, object_pk__in=list(keys)).select_related("assignee")
    return {keys[each.object_pk]: each for each in found}


def without_waiting(rows: QuerySet[M], today: date) -> QuerySet[M]:
    """Return the rows without those that wait for a day after `today`."""
    waiting = FollowUp.objects.filter(
        content_type=ContentType.objects.get_for_model(rows.model),
        object_pk=Cast(OuterRef("pk"), CharField()),
        wait_until__gt=today,
    )
    return rows.exclude(Exists(waiting))


def may_be_assigned(about: Model, participants: Collection[int]) -> QuerySet[User]:
    """Return the staff who may see an object, by name; one query.

    Args:
        about: The object.
        participants: The primary keys of the participants that it concerns; one of them must be in scope.
    """
    permission = f"{about._meta.app_label}.view_{about._meta.model_name}"
    views = User.objects.with_perm(permission, backend=MODEL_BACKEND).values("pk")
    return who_see_any(participants).filter(pk__in=views).order_by("username")


@transaction.atomic
def follow_up(
    about: Model,
    *,
    assignee: User | None,
    wait_until: date | None,
    by: str,
    participants: Collection[int],
) -> bool:
    """Assign an object and set the day until which it waits; return whether anything changed.

    Without assignee and day, the follow-up ends. Each change is an entry of the journal.
    """
    kind = ContentType.objects.get_for_model(about)
    row = (
        FollowUp.objects.select_for_update(no_key=True, of=("self",))
        .filter(content_type=kind, object_pk=str(about.pk))
        .select_related("assignee")
        .first()
    )
    said = _change_in_words(row, assignee, wait_until)
    if not said:
        return False
    if assignee is None and wait_until is None:
        if row is not None:
            row.delete()
    else:
        FollowUp.objects.update_or_create(
            content_type=kind,
            object_pk=str(about.pk),
            defaults={
                "assignee": assignee,
                "wait_until": wait_until,
                "participants": sorted(participants),
            },
        )
    entries.write(about, " ".join(said), author=by, participants=participants, is_follow_up=True)
    return True


def _change_in_words(row: FollowUp | None, assignee: User | None, wait_until: date | None) -> list[str]:
    former, day = (row.assignee, row.wait_until) if row else (None, None)
    said = []
    if former != assignee:
        said.append(f"Assigned to {assignee}." if assignee else f"No longer assigned to {former}.")
    if day != wait_until:
        said.append(f"Waits until {wait_until}." if wait_until else f"No longer waits until {day}.")
    return said
