"""The connectivity test as an action on the list of participants."""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest

from participants import clock, journal
from participants.admin import ParticipantAdmin
from participants.admin_html import lines, link
from participants.models import Participant
from uftp import tasks
from uftp.connectivity import send_test_message

AT_ONCE = 1000


def _may_send_test_message(self: ParticipantAdmin, request: HttpRequest) -> bool:
    return bool(request.user.has_perm("participants.change_participant"))


@admin.action(description="Send a TestMessage", permissions=["send_test_message"])
def send_test_messages(
    modeladmin: ParticipantAdmin, request: HttpRequest, queryset: QuerySet[Participant]
) -> None:
    """Send a TestMessage to each participant chosen, and link to what was sent."""
    for participant in queryset[:AT_ONCE]:
        with transaction.atomic():
            sent = send_test_message(participant, clock.now())
            journal.note(request.user.get_username(), "sent TestMessage", str(participant))
        tasks.wake_outbox(participant.role, participant.domain)
        modeladmin.message_user(
            request,
            lines([f"A TestMessage to {participant} is on its way:", link(sent)]),
            messages.SUCCESS,
        )


# The layer of participants knows no messages, so its screen gets this action from here.
ParticipantAdmin.has_send_test_message_permission = _may_send_test_message  # type: ignore[attr-defined]
ParticipantAdmin.actions = [*(ParticipantAdmin.actions or ()), send_test_messages]  # type: ignore[misc]
