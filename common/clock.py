"""The clock. Only the outermost layer reads it: views, tasks, commands and the admin pass the moment on."""

from datetime import UTC, datetime

from django.conf import settings


def now() -> datetime:
    """Return this moment in UTC.

    With DEBUG on and CRO_NOW set, always return CRO_NOW. Tests use that.
    """
    if settings.DEBUG and settings.CRO_NOW:
        stands: datetime = settings.CRO_NOW
        return stands
    return datetime.now(UTC)
