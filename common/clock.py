"""The time, asked by the outermost layer only: views, tasks, commands and admin pass it on."""

from datetime import UTC, datetime

from django.conf import settings


def now() -> datetime:
    """This moment, in UTC; where DEBUG is on and CRO_NOW is set, the clock stands there (for tests)."""
    if settings.DEBUG and settings.CRO_NOW:
        stands: datetime = settings.CRO_NOW
        return stands
    return datetime.now(UTC)
