"""What the search box of every page finds among participants and audit entries, and a figure of the dashboard."""

from collections.abc import Iterator
from datetime import datetime

from django.conf import settings

from participants.admin_base.extensions import ScreenExtension
from participants.admin_base.figures import Figure, MayView, Urgency, counted
from participants.admin_base.html import moment
from participants.admin_base.search import Finder
from participants.admission import discovered_participants
from participants.models import AuditEntry, Participant, ParticipantStanding
from participants.scope import Scope


def _participant(row: Participant) -> tuple[str, str]:
    return str(row), row.name


def _entry(row: AuditEntry) -> tuple[str, str]:
    return f"{row.action}: {row.subject}", f"{moment(row.moment)}, by {row.actor}"


def discovery_figure(scope: Scope, now: datetime, may_view: MayView) -> Iterator[Figure]:
    """Yield how many participants discovery has recorded, for staff who see all: urgent when it records no more."""
    if not (settings.DISCOVERY_DNS and scope.everyone and may_view(Participant)):
        return
    recorded, most = discovered_participants(), settings.DISCOVERY_MAX_PARTICIPANTS
    text, urgency = f"Known by discovery alone, of {most:,} at most", Urgency.KNOW
    if recorded[:most].count() >= most:
        text, urgency = f"Known by discovery alone: no more than {most:,} are recorded", Urgency.NOW
    yield counted(text, recorded, urgency, standing__exact=ParticipantStanding.KNOWN.value, keys="none")


EXTENSION = ScreenExtension(
    order=0,
    finders=(Finder(3, Participant, _participant), Finder(10, AuditEntry, _entry)),
    figures=(discovery_figure,),
)
