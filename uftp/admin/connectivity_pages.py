"""The pages of the connectivity test: staff send a TestMessage, and its page shows each step.

They are below the page of a participant. `uftp.admin.extension` adds them there, because `participants` must not
import this app.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import clock
from common.display import PLACEHOLDER
from participants import audit
from participants.admin_base.extensions import Card, button
from participants.admin_base.html import link, moment, one_per_line
from participants.admin_base.pages import Page
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from uftp.admin.connectivity_steps import progress_of
from uftp.admin.outbound import SEND_AGAIN
from uftp.connectivity import send_test_message
from uftp.models import OutboundMessage
from uftp.wakeups import wakeups

MAX_TESTS = 1000
POLL_FOR = timedelta(minutes=15)
"""Time after the start of a test for which its page polls."""

MAX_EARLIER = 5
"""Maximum number of tests on the page of a participant's tests."""

PAGE, ONE, STEPS = (
    f"participants_participant_{name}"
    for name in ("test_message", "test_message_result", "test_message_steps")
)


def _tests_of(participant: Participant) -> QuerySet[OutboundMessage]:
    to_it = OutboundMessage.objects.filter(
        recipient_role=participant.role, recipient_domain=participant.domain, message_type="TestMessage"
    )
    return to_it.defer("sealed").order_by("-pk")


def _send(participant: Participant, actor: str) -> OutboundMessage:
    with transaction.atomic():
        sent = send_test_message(participant, clock.now())
        audit.record(
            actor,
            "sent TestMessage",
            str(participant),
            after={"MessageID": sent.message_id},
            reason="connectivity test",
            about=participant,
            participants=[participant],
        )
    wakeups.wake_outbox(participant.role, participant.domain)
    return sent


def overview(model_admin: ScopedAdmin, request: HttpRequest, participant: Participant) -> HttpResponse:
    """Show the latest tests. A POST sends another one and redirects to its page."""
    may = model_admin.has_change_permission(request, participant)
    if request.method == "POST":
        if not may:
            raise PermissionDenied
        sent = _send(participant, request.user.get_username())
        return HttpResponseRedirect(_url(ONE, participant, sent))
    now = timezone.now()
    return model_admin.page(
        request,
        "admin/uftp/test_messages.html",
        "TestMessages",
        row=participant,
        send=_send_button(request, participant) if may else "",
        tests=[
            (
                format_html('<a href="{}">{}</a>', _url(ONE, participant, test), moment(test.created_at)),
                progress_of(test, now).outcome,
            )
            for test in _tests_of(participant)[:MAX_EARLIER]
        ],
    )


def one_test(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, test_id: int
) -> HttpResponse:
    """Show the steps of one test."""
    may = model_admin.has_change_permission(request, participant)
    return model_admin.page(
        request,
        "admin/uftp/test_message.html",
        "TestMessage",
        row=participant,
        send=_send_button(request, participant, "Send another one") if may else "",
        **_steps(model_admin, request, participant, test_id),
    )


def steps_of_test(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, test_id: int
) -> HttpResponse:
    """Show the part of the page of one test that changes. The page polls it."""
    context = _steps(model_admin, request, participant, test_id)
    return render(request, "admin/uftp/test_message_steps.html", context)


def _steps(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, test_id: int
) -> dict[str, Any]:
    """Return the context of the page of one test and of its polled part."""
    test = _tests_of(participant).filter(pk=test_id).first()
    if test is None:
        raise Http404
    now = timezone.now()
    progress = progress_of(test, now)
    began = test.give_up_at - timedelta(hours=settings.DELIVERY_RETRY_HOURS)
    polls = not progress.over and now < began + POLL_FOR
    return {
        "progress": progress,
        "message": link(test),
        "poll": _url(STEPS, participant, test) if polls else "",
        "stopped": not progress.over and not polls,
        "actions": _actions(model_admin, request, participant, test),
    }


def _actions(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, test: OutboundMessage
) -> list[tuple[str, str]]:
    """Return URL and text of the actions that this member of staff can take on a test that is not delivered."""
    failed = test.state == OutboundMessage.State.FAILED
    if not failed and not (test.state == OutboundMessage.State.WAITING and test.attempts):
        return []
    actions = []
    if model_admin.has_change_permission(request, participant):
        page = reverse("admin:participants_participant_change", args=[participant.pk])
        actions.append((f"{page}#id_endpoint", "Correct the endpoint"))
    sent: Any = model_admin.admin_site.get_model_admin(OutboundMessage)
    if SEND_AGAIN.is_offered(sent, request, test):
        actions.append((sent.url_to(SEND_AGAIN.name, test.pk), SEND_AGAIN.text_for(test)))
    return actions


def _url(name: str, participant: Participant, *more: OutboundMessage) -> str:
    return reverse(f"admin:{name}", args=[participant.pk, *(test.pk for test in more)])


def _send_button(
    request: HttpRequest, participant: Participant, text: str = "Send TestMessage"
) -> SafeString:
    return format_html(
        '<form method="post" action="{}"><input type="hidden" name="csrfmiddlewaretoken" value="{}">'
        '<button type="submit" class="button">{}</button></form>',
        _url(PAGE, participant),
        get_token(request),
        text,
    )


def connectivity_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card:
    """Return the card with the result of the latest test."""
    latest = _tests_of(participant).first()
    rows: list[tuple[str, object]] = [("Latest test", PLACEHOLDER)]
    if latest:
        page = format_html('<a href="{}">{}</a>', _url(ONE, participant, latest), moment(latest.created_at))
        rows = [("Latest test", page), ("Result", progress_of(latest, timezone.now()).outcome)]
    tools = [button(_url(PAGE, participant), "Earlier tests")] if latest else []
    if model_admin.has_change_permission(request, participant):
        tools.insert(0, _send_button(request, participant))
    return Card("Connectivity test", rows, tools)


@admin.action(description="Send a TestMessage", permissions=["change"])
def send_test_messages(
    model_admin: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Participant]
) -> None:
    """Send a TestMessage to each selected participant, and link to the page of the test."""
    for participant in queryset[:MAX_TESTS]:
        sent = _send(participant, request.user.get_username())
        page = format_html('<a href="{}">See its result</a>', _url(ONE, participant, sent))
        text = one_per_line([f"A TestMessage to {participant} is being delivered.", page])
        model_admin.message_user(request, text, messages.SUCCESS)


PAGES = (
    Page("<path:object_id>/test-message/", "test_message", overview),
    Page("<path:object_id>/test-message/<int:test_id>/", "test_message_result", one_test),
    Page("<path:object_id>/test-message/<int:test_id>/steps/", "test_message_steps", steps_of_test),
)
"""Pages below the page of a participant."""
