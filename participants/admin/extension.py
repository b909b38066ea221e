"""What the search box of every page finds among participants and audit entries."""

from participants.admin_base.extensions import ScreenExtension
from participants.admin_base.html import moment
from participants.admin_base.search import Finder
from participants.models import AuditEntry, Participant


def _participant(row: Participant) -> tuple[str, str]:
    return str(row), row.name


def _entry(row: AuditEntry) -> tuple[str, str]:
    return f"{row.action}: {row.subject}", f"{moment(row.moment)}, by {row.actor}"


EXTENSION = ScreenExtension(
    order=0, finders=(Finder(3, Participant, _participant), Finder(10, AuditEntry, _entry))
)
