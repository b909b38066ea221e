"""The connectivity test on the screens: one is sent, and its page shows step by step what becomes of it.

The layer of participants knows no messages; it gets the button, the pages and the action in its list from here.
"""

from collections.abc import Iterable
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
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import clock
from common.display import NOTHING
from participants import audit
from participants.admin import ParticipantAdmin
from participants.admin_base import extensions
from participants.admin_base.extensions import Card, button
from participants.admin_base.html import lines, link, moment
from participants.models import Participant
from uftp.admin.connectivity_steps import course_of
from uftp.connectivity import send_test_message
from uftp.models import OutboundMessage
from uftp.wakeups import wakeups

AT_ONCE = 1000
LOOKS_FOR = timedelta(minutes=15)
"""For how long a page looks by itself for what becomes of a test."""

EARLIER = 5
"""Earlier tests on the page of a participant's tests."""

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
        audit.note(
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


def _pages(of: ParticipantAdmin) -> Iterable[URLPattern]:
    def overview(request: HttpRequest, object_id: str) -> HttpResponse:
        """The latest tests; a POST sends another one, and leads to its page."""
        participant: Participant = of.row_or_404(request, object_id)
        may = of.has_change_permission(request, participant)
        if request.method == "POST":
            if not may:
                raise PermissionDenied
            sent = _send(participant, request.user.get_username())
            return HttpResponseRedirect(reverse(f"admin:{ONE}", args=[participant.pk, sent.pk]))
        now = timezone.now()
        return of.page(
            request,
            "admin/uftp/test_messages.html",
            "TestMessages",
            row=participant,
            send=_send_button(request, participant) if may else "",
            tests=[
                (
                    format_html('<a href="{}">{}</a>', _url(ONE, participant, test), moment(test.created_at)),
                    course_of(test, now).outcome,
                )
                for test in _tests_of(participant)[:EARLIER]
            ],
        )

    def one(request: HttpRequest, object_id: str, test_id: int) -> HttpResponse:
        participant: Participant = of.row_or_404(request, object_id)
        may = of.has_change_permission(request, participant)
        return of.page(
            request,
            "admin/uftp/test_message.html",
            "TestMessage",
            row=participant,
            send=_send_button(request, participant, "Send another one") if may else "",
            **_steps(of, request, participant, test_id),
        )

    def steps(request: HttpRequest, object_id: str, test_id: int) -> HttpResponse:
        participant: Participant = of.row_or_404(request, object_id)
        shown = _steps(of, request, participant, test_id)
        return render(request, "admin/uftp/test_message_steps.html", shown)

    view = of.admin_site.admin_view
    below = "<path:object_id>/test-message/"
    return [
        path(below, view(overview), name=PAGE),
        path(f"{below}<int:test_id>/", view(one), name=ONE),
        path(f"{below}<int:test_id>/steps/", view(steps), name=STEPS),
    ]


def _steps(
    of: ParticipantAdmin, request: HttpRequest, participant: Participant, test_id: int
) -> dict[str, Any]:
    """What the page of one test shows, and what its polled part becomes."""
    test = _tests_of(participant).filter(pk=test_id).first()
    if test is None:
        raise Http404
    now = timezone.now()
    course = course_of(test, now)
    began = test.give_up_at - timedelta(hours=settings.DELIVERY_RETRY_HOURS)
    looks = not course.over and now < began + LOOKS_FOR
    return {
        "course": course,
        "message": link(test),
        "poll": _url(STEPS, participant, test) if looks else "",
        "stopped": not course.over and not looks,
        "ways": _ways_on(of, request, participant, test),
    }


def _ways_on(
    of: ParticipantAdmin, request: HttpRequest, participant: Participant, test: OutboundMessage
) -> list[tuple[str, str]]:
    """Where this member of staff can do something about a test that is tried in vain: (URL, text)."""
    failed = test.state == OutboundMessage.State.FAILED
    if not failed and not (test.state == OutboundMessage.State.WAITING and test.attempts):
        return []
    ways = []
    if of.has_change_permission(request, participant):
        page = reverse("admin:participants_participant_change", args=[participant.pk])
        ways.append((f"{page}#id_endpoint", "Correct the endpoint"))
    sent: Any = of.admin_site.get_model_admin(OutboundMessage)
    if sent.offers_again(request, test):
        ways.append((reverse("admin:uftp_outboundmessage_send_again", args=[test.pk]), sent.verb_for(test)))
    return ways


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


def _card(of: ParticipantAdmin, request: HttpRequest, participant: Participant) -> Card:
    """Whether it can be reached, as far as the latest test tells."""
    latest = _tests_of(participant).first()
    says: list[tuple[str, object]] = [("Latest test", NOTHING)]
    if latest:
        page = format_html('<a href="{}">{}</a>', _url(ONE, participant, latest), moment(latest.created_at))
        says = [("Latest test", page), ("Result", course_of(latest, timezone.now()).outcome)]
    tools = [button(_url(PAGE, participant), "Earlier tests")] if latest else []
    if of.has_change_permission(request, participant):
        tools.insert(0, _send_button(request, participant))
    return Card("Connectivity test", says, tools)


def _may_send_test_message(self: ParticipantAdmin, request: HttpRequest) -> bool:
    return self.has_change_permission(request)


@admin.action(description="Send a TestMessage", permissions=["send_test_message"])
def send_test_messages(of: ParticipantAdmin, request: HttpRequest, queryset: QuerySet[Participant]) -> None:
    """Send a TestMessage to each participant chosen, and link to what becomes of it."""
    for participant in queryset[:AT_ONCE]:
        sent = _send(participant, request.user.get_username())
        page = format_html('<a href="{}">See what becomes of it</a>', _url(ONE, participant, sent))
        said = lines([f"A TestMessage to {participant} is on its way.", page])
        of.message_user(request, said, messages.SUCCESS)


extensions.CARDS.append(_card)
extensions.PAGES.append(_pages)
ParticipantAdmin.has_send_test_message_permission = _may_send_test_message  # type: ignore[attr-defined]
ParticipantAdmin.actions = [*(ParticipantAdmin.actions or ()), send_test_messages]
