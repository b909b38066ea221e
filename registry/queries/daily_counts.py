"""Count the conflicts that opened on a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count

from participants.daily_counts import Key
from registry.models import Conflict

OPENED = "conflicts opened"


def count_opened(begin: datetime, end: datetime) -> Iterator[tuple[Key, int]]:
    """Yield how many conflicts opened in that time, in all and for each of their two parties."""
    rows = Conflict.objects.filter(opened_by__moment__gte=begin, opened_by__moment__lt=end)
    counted = rows.order_by().values_list("holder", "claimant").annotate(many=Count("pk"))
    for holder, claimant, many in counted:
        yield (OPENED, None), many
        yield (OPENED, holder), many
        yield (OPENED, claimant), many
