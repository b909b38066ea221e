"""The cards, pages, actions and figures that this app adds to the screens of participants and the dashboard."""

from participants.admin_base.extensions import ScreenExtension
from participants.models import Participant
from uftp.admin import connectivity_pages, delivery_settings
from uftp.admin.figures import message_figures
from uftp.admin.participant_cards import received_card, sent_card, waiting_counts
from uftp.admin.search import FINDERS
from uftp.daily_counts import count_delivered, count_rejected

EXTENSION = ScreenExtension(
    order=1,
    cards=(
        connectivity_pages.connectivity_card,
        delivery_settings.delivery_settings_card,
        received_card,
        sent_card,
    ),
    waiting=(waiting_counts,),
    finders=FINDERS,
    daily_counts=(count_rejected, count_delivered),
    figures=(message_figures,),
    pages={Participant: (*connectivity_pages.PAGES, *delivery_settings.PAGES)},
    actions={Participant: (connectivity_pages.send_test_messages,)},
)
