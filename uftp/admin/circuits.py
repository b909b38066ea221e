"""The screens of circuit breakers: which recipients are tried with one message at a time, and resuming deliveries."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from common.retry import retried
from participants import audit
from participants.admin_base.extensions import badge
from participants.admin_base.html import link, moment
from participants.admin_base.pages import Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scalable import ReadOnlyAdmin, ScalableAdmin
from participants.models import Participant
from uftp.delivery import circuits
from uftp.models import CircuitBreaker, OutboundMessage
from uftp.wakeups import wakeups

PERMISSION = "uftp.change_outboundmessage"


def may_resume(model_admin: ScalableAdmin, request: HttpRequest, circuit: CircuitBreaker) -> bool:
    """Return whether this member of staff has the permission, and acts for the recipient."""
    rows = model_admin.acted_on(request, CircuitBreaker.objects.filter(pk=circuit.pk))
    return bool(request.user.has_perm(PERMISSION)) and rows.exists()


def resume(model_admin: ScalableAdmin, request: HttpRequest, circuit: CircuitBreaker) -> HttpResponse:
    """Ask why, and close the circuit breaker: all that waits is delivered again."""
    back = model_admin.url_to("change", circuit.pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        recipient = (circuit.role, circuit.domain)

        def do() -> bool:
            closed = circuits.resume(recipient, timezone.now())
            if closed:
                participant = Participant.objects.filter(role=circuit.role, domain=circuit.domain).first()
                audit.record(
                    actor(request),
                    "resume deliveries",
                    str(circuit),
                    reason=form.cleaned_data["reason"],
                    about=circuit,
                    participants=[participant] if participant else [],
                )
            return closed

        if retried(do):
            wakeups.wake_outbox(*recipient)
            model_admin.message_user(request, f"Deliveries to {circuit} go on.", messages.SUCCESS)
        else:
            model_admin.message_user(request, f"Deliveries to {circuit} go on already.", messages.WARNING)
        return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/uftp/resume.html",
        "Resume deliveries",
        row=circuit,
        form=form,
        circuit=circuit,
        submit="Resume deliveries",
        cancel=back,
    )


def waiting_for(circuit: CircuitBreaker) -> QuerySet[OutboundMessage]:
    """Return the messages that wait for the recipient of a circuit breaker."""
    return OutboundMessage.objects.filter(
        recipient_role=circuit.role, recipient_domain=circuit.domain, state=OutboundMessage.State.WAITING
    )


@admin.register(CircuitBreaker)
class CircuitBreakerAdmin(ReadOnlyAdmin, ScalableAdmin):
    """The recipients that have refused a message, with the state of their deliveries."""

    list_display = ("recipient", "state_badge", "opened", "refusals", "next_trial", "detail")
    export_display = (
        "role",
        "domain",
        "state",
        ("Since", "opened_at"),
        "refusals",
        ("Next trial", "next_trial_at"),
        ("Latest refusal", "detail"),
    )
    list_filter = ("state",)
    search_fields = ("domain__exact",)
    search_help_text = "The whole of a recipient's domain"
    fields = ("recipient", "state_badge", "opened", "refusals", "next_trial", "refused_message", "detail")
    change_form_template = "admin/uftp/circuit_change_form.html"
    pages = (Page("<path:object_id>/resume/", "resume", resume, may=may_resume),)

    def in_scope(self, request: HttpRequest, rows: QuerySet[CircuitBreaker]) -> QuerySet[CircuitBreaker]:
        return self.seen(request).restrict_named(rows, "role", "domain")

    def acted_on(self, request: HttpRequest, rows: QuerySet[CircuitBreaker]) -> QuerySet[CircuitBreaker]:
        return self.acted_for(request).restrict_named(rows, "role", "domain")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        offered = row.state == CircuitBreaker.State.OPEN and may_resume(self, request, row)
        return {
            **super().page_context(request, row),
            "resume": self.url_to("resume", row.pk) if offered else "",
        }

    @admin.display(description="recipient")
    def recipient(self, circuit: CircuitBreaker) -> str:
        return str(circuit)

    @admin.display(description="deliveries")
    def state_badge(self, circuit: CircuitBreaker) -> str:
        tone = "bad" if circuit.state == CircuitBreaker.State.OPEN else "ok"
        return badge(tone, circuit.get_state_display())

    @admin.display(description="first refusal")
    def opened(self, circuit: CircuitBreaker) -> str:
        return moment(circuit.opened_at)

    @admin.display(description="next message is tried")
    def next_trial(self, circuit: CircuitBreaker) -> str:
        return moment(circuit.next_trial_at) if circuit.state == CircuitBreaker.State.OPEN else "at once"

    @admin.display(description="first refused message")
    def refused_message(self, circuit: CircuitBreaker) -> str:
        return link(OutboundMessage.objects.defer("sealed").get(pk=circuit.message_id))
