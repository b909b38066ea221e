"""Link the page of a FlexReservationUpdate message to its reservation update."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from participants.admin_base.html import link
from participants.admin_base.scalable import ReadOnlyAdmin
from reservations.admin.updates.page import state_of, with_state
from reservations.admin.updates.states import state_badge
from reservations.models import ReservationUpdate
from uftp.models import InboundMessage


class UpdateInline(ReadOnlyAdmin, admin.TabularInline[ReservationUpdate, InboundMessage]):
    """Show the reservation update on the page of its FlexReservationUpdate message."""

    model = ReservationUpdate
    template = "admin/readonly_inline.html"
    without_rows = "No update was registered."
    verbose_name_plural = "Reservation update"
    fields = readonly_fields = ("what", "under", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReservationUpdate]:
        return with_state(super().get_queryset(request)).select_related("contract")

    def has_view_permission(self, request: HttpRequest, obj: InboundMessage | None = None) -> bool:
        is_other_type = obj is not None and obj.message_type != "FlexReservationUpdate"
        return not is_other_type and super().has_view_permission(request, obj)

    @admin.display(description="update")
    def what(self, update: ReservationUpdate) -> str:
        return link(update)

    @admin.display(description="contract")
    def under(self, update: ReservationUpdate) -> str:
        return link(update.contract)

    @admin.display(description="state")
    def state(self, update: ReservationUpdate) -> str:
        return state_badge(state_of(update))
