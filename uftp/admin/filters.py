"""The filters of the lists of messages, delivery attempts and refused requests."""

from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from participants.admin_base.filters import MAX_SUGGESTIONS, ChoiceFilter, TextFilter
from participants.models import Participant
from uftp.delivery.forwarding import IS_PASSED_ON
from uftp.models import Sender
from uftp.protocol.messages import ACCEPTED, HANDLED_REQUESTS, OTHER_REQUESTS, OTHER_RESPONSES
from uftp.receiving import refusals

ROLES = ("AGR", "DSO")


class DomainFilter(TextFilter):
    """A filter that suggests the domains of the participants in the viewer's scope."""

    parameter_name = "domain"

    def suggestions(self) -> Iterable[str]:
        seen = self.seen.restrict(Participant.objects.all(), "pk")
        return seen.order_by("domain").values_list("domain", flat=True).distinct()[:MAX_SUGGESTIONS]


class SenderFilter(DomainFilter):
    """A filter of received messages by the domain of the sender."""

    title = "sender's domain"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        matching = Sender.objects.filter(domain__in=self.matching_domains()).values_list("pk", flat=True)
        return queryset.filter(sender__in=list(matching))


class RecipientFilter(DomainFilter):
    """A filter of sent messages by the domain of the recipient."""

    title = "recipient's domain"
    path = "recipient"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.text:
            return queryset
        return queryset.filter(
            **{f"{self.path}_role__in": ROLES, f"{self.path}_domain__in": self.matching_domains()},
        )


class RecipientOfAttemptFilter(RecipientFilter):
    """A filter of delivery attempts by the domain of the recipient."""

    path = "message__recipient"


class ClaimedSenderFilter(DomainFilter):
    """A filter of refused requests by the domain in the envelope."""

    title = "claimed sender's domain"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(role__in=ROLES, domain__in=self.matching_domains()) if self.text else queryset


class RoleFilter(ChoiceFilter):
    """A filter by the role of a participant."""

    title = "role"
    parameter_name = "role"
    values = ROLES


class SenderRoleFilter(RoleFilter):
    """A filter of received messages by the role of the sender."""

    field = "sender__role"


class RecipientRoleFilter(RoleFilter):
    """A filter of sent messages by the role of the recipient."""

    field = "recipient_role"


class ClaimedRoleFilter(RoleFilter):
    """A filter of refused requests by the role in the envelope."""

    field = "role"


class ResultFilter(ChoiceFilter):
    """A filter by result. Messages may have none."""

    title = parameter_name = field = "result"
    values = ("Accepted", "Rejected")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [*super().lookups(request, model_admin), ("none", "No result")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(result="") if self.value() == "none" else super().queryset(request, queryset)


class ReceivedResultFilter(ResultFilter):
    """A filter by result. A message that is passed on is not accepted: this CRO has not answered it."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("passed on", "Passed on, or being passed on"), *super().lookups(request, model_admin)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "passed on":
            return queryset.filter(IS_PASSED_ON)
        found = super().queryset(request, queryset)
        return found.exclude(IS_PASSED_ON) if self.value() == ACCEPTED else found


class PassedOnFilter(ChoiceFilter):
    """A filter of sent messages by whether they are passed on."""

    title = "passed on"
    parameter_name = "passed_on"
    values = ("no", "yes")

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("no", "This CRO's own"), ("yes", "Passed on")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value()
        if wanted and wanted not in self.values:
            return queryset.none()
        return queryset.filter(passes_on__isnull=wanted == "no") if wanted else queryset


class StatusFilter(ChoiceFilter):
    """A filter of refused requests by HTTP status."""

    title = parameter_name = field = "status"
    values = tuple(str(status) for status in refusals.STATUSES)


class TypeFilter(TextFilter):
    """A filter by message type, which suggests the types in `known`."""

    title = "message type"
    parameter_name = "type"
    known: Iterable[str] = ()

    def suggestions(self) -> Iterable[str]:
        return self.known

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(message_type__in=self.matching_values(self.known)) if self.text else queryset


class InboundTypeFilter(TypeFilter):
    """A filter of received messages by message type."""

    known = (*sorted(HANDLED_REQUESTS), "TestMessageResponse", *sorted(OTHER_REQUESTS | OTHER_RESPONSES))


class OutboundTypeFilter(TypeFilter):
    """A filter of sent messages by message type."""

    known = (
        "TestMessage",
        "FlexReservationUpdate",
        *(f"{request}Response" for request in sorted(HANDLED_REQUESTS)),
        *sorted(OTHER_RESPONSES),
    )
