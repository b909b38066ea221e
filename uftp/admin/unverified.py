"""The page that sends again all that was refused with 401: of one participant, or of all."""

import re
from collections import Counter
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect

from common.retry import retried
from participants import audit
from participants.admin_base.pages import Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from uftp.delivery import resending
from uftp.handlers import Party
from uftp.models import OutboundMessage
from uftp.wakeups import wakeups

PERMISSION = "uftp.change_outboundmessage"

TITLE = "Send again all that was refused with 401"

KEY = re.compile(r"[0-9]{1,18}")
"""The primary key of a participant, as text."""

MAX_MESSAGES = 10_000
"""Maximum number of messages that are sent again at once."""


def may_send(model_admin: ScopedAdmin, request: HttpRequest) -> bool:
    """Return whether this member of staff may send messages again, and acts for the participant in the query."""
    return bool(request.user.has_perm(PERMISSION))


def view(model_admin: ScopedAdmin, request: HttpRequest) -> HttpResponse:
    """Show how many messages of whom were refused with 401, and send them again for a reason."""
    rows = model_admin.acted_on(request, OutboundMessage.objects.all())
    participant = _participant(model_admin, request)
    if participant is not None:
        rows = rows.filter(recipient_role=participant.role, recipient_domain=participant.domain)
    found = resending.refused_unverified(rows).order_by("pk")
    refused = list(found.values_list("pk", "recipient_role", "recipient_domain")[:MAX_MESSAGES])
    back = model_admin.url_to("changelist")
    if not refused:
        return model_admin.page(request, "admin/uftp/unverified_none.html", TITLE, back=back)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        done = _send([pk for pk, _, _ in refused], actor(request), form.cleaned_data["reason"])
        for recipient in done:
            wakeups.wake_outbox(*recipient)
        text = f"{done.total():,} message{'' if done.total() == 1 else 's'} refused with 401 are sent again."
        model_admin.message_user(request, text, messages.SUCCESS)
        return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/uftp/unverified.html",
        TITLE,
        form=form,
        counts=sorted(Counter((role, domain) for _, role, domain in refused).items()),
        at_most=MAX_MESSAGES if len(refused) == MAX_MESSAGES else 0,
        submit="Send again",
        cancel=back,
    )


def _participant(model_admin: ScopedAdmin, request: HttpRequest) -> Participant | None:
    key = request.GET.get("participant", "")
    if not key:
        return None
    found = Participant.objects.filter(pk=int(key)).first() if KEY.fullmatch(key) else None
    if found is None or found not in model_admin.seen(request):
        raise Http404
    if not model_admin.may_act(request, found):
        raise PermissionDenied
    return found


def _send(keys: list[int], actor: str, reason: str) -> Counter[Party]:
    """Send the messages again, with an audit entry for each recipient. Return how many there are of each."""

    def do() -> Counter[Party]:
        sent = resending.send_now(keys)
        counts = Counter((each.recipient_role, each.recipient_domain) for each in sent)
        known: dict[Party, Any] = {
            (each.role, each.domain): each
            for each in Participant.objects.filter(domain__in={domain for _, domain in counts})
        }
        for recipient, count in sorted(counts.items()):
            participant = known.get(recipient)
            audit.record(
                actor,
                "send again",
                f"{count} messages to {' '.join(recipient)} that were refused with 401",
                reason=reason,
                about=participant,
                participants=[participant] if participant else [],
            )
        return counts

    return retried(do)


PAGE = Page("refused-with-401/", "unverified", view, may=may_send)
