"""Add reservations to the screens of participants, messages and changes, and to the dashboard."""

from participants.admin_base.extensions import ScreenExtension
from registry.admin.facts.counts import RECORDED, FactKind
from reservations.admin.figures import reservation_figures
from reservations.admin.participant_cards import reservations_card
from reservations.admin.search import FINDERS
from reservations.admin.updates.inline import UpdateInline
from reservations.models import Contract, ContractVersion, ReservationUpdate, UpdateState
from uftp.models import InboundMessage

EXTENSION = ScreenExtension(
    order=3,
    cards=(reservations_card,),
    finders=FINDERS,
    figures=(reservation_figures,),
    inlines={InboundMessage: (UpdateInline,)},
    fact_kinds=(
        FactKind(ContractVersion, ("contract__dso", "contract__agr"), Contract, "versions__"),
        FactKind(ReservationUpdate, ("dso", "agr"), ReservationUpdate, actions=(RECORDED,)),
        FactKind(UpdateState, ("update__dso", "update__agr"), ReservationUpdate, "states__"),
    ),
)
