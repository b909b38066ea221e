"""Add the common reference to the dashboard, and to the screens of participants and messages."""

from participants.admin_base.extensions import ScreenExtension
from registry.admin.changes.admin import ChangeInline
from registry.admin.imports.figures import import_figures
from registry.admin.notices import notice_figures
from registry.admin.participant_cards import reference_card
from registry.admin.search import FINDERS, SEARCHES
from registry.queries.daily_counts import count_opened
from uftp.models import InboundMessage

EXTENSION = ScreenExtension(
    order=2,
    cards=(reference_card,),
    figures=(import_figures, notice_figures),
    finders=FINDERS,
    daily_counts=(count_opened,),
    searches=SEARCHES,
    inlines={InboundMessage: (ChangeInline,)},
)
