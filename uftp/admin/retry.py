"""The actions that handle or send messages again: one on its page, or several from the list, with a reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import helpers
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from common.retry import retried
from participants import audit
from participants.admin_base.html import link
from participants.admin_base.pages import Page
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant
from uftp.models import InboundMessage, OutboundMessage

MAX_MESSAGES = 1000
"""Maximum number of messages of one action."""

MAX_NAMED = 50
MAX_REASONS = 10

Message = InboundMessage | OutboundMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAction:
    """An action that retries a kind of messages, and its texts for staff.

    Attributes:
        name: The name of the action in the list, and of the page of one message.
        permission: The permission that it needs.
        button: The text on the button. The audit trail has it in lower case.
        done: The text after success, after "messages are".
        failed: The text if no message is eligible.
        consequences: The sentences on the page about the consequences.
        eligible: Narrows rows to messages that can be retried.
        run: Retries those messages with these primary keys that are still eligible, in the caller's transaction.
            Returns them.
        wake: Wakes the work, after the commit.
        party: Returns role and domain of the participant that the message came from or goes to.
        audited_as: Returns the text for the message in the audit trail.
        button_for: Returns the text on the button for one message, if it differs.
        explain: Returns why messages are not retried, or not at once, by primary key.
    """

    name: str
    permission: str
    button: str
    done: str
    failed: str
    consequences: tuple[str, ...]
    eligible: Callable[[QuerySet[Any]], QuerySet[Any]]
    run: Callable[[list[int]], list[Any]]
    wake: Callable[[list[Any]], None]
    party: Callable[[Any], tuple[str, str]]
    audited_as: Callable[[Any], str]
    button_for: Callable[[Any], str] | None = None
    explain: Callable[[list[Any]], dict[int, str]] = lambda rows: {}

    @property
    def page(self) -> Page:
        """Return the page of one message on which staff confirm the action."""
        return Page(f"<path:object_id>/{self.name.replace('_', '-')}/", self.name, self.view, may=self.may)

    def may(self, model_admin: ScopedAdmin, request: HttpRequest, message: Any) -> bool:
        """Return whether this member of staff has the permission, and acts for the participant of the message."""
        return self.is_allowed(request) and self._acted_on(model_admin, request, message).exists()

    def text_for(self, message: Any) -> str:
        """Return the text on the button on the page of `message`."""
        return self.button_for(message) if self.button_for else self.button

    def is_allowed(self, request: HttpRequest) -> bool:
        """Return whether this member of staff has the permission."""
        return bool(request.user.has_perm(self.permission))

    def is_offered(self, model_admin: ScopedAdmin, request: HttpRequest, message: Any) -> bool:
        """Return whether this member of staff can retry `message` now."""
        return (
            self.is_allowed(request) and self.eligible(self._acted_on(model_admin, request, message)).exists()
        )

    def view(self, model_admin: ScopedAdmin, request: HttpRequest, message: Any) -> HttpResponse:
        """Show the consequences and the form for the reason, and retry one message on a valid POST."""
        back = model_admin.url_to("change", message.pk)
        rows = list(
            self._with_parties(model_admin, self.eligible(self._acted_on(model_admin, request, message)))
        )
        if not rows:
            self._warn(model_admin, request, [message])
            return HttpResponseRedirect(back)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._do(model_admin, request, rows, form.cleaned_data["reason"])
            return HttpResponseRedirect(back)
        return self._ask(model_admin, request, form, rows, self.text_for(message), back, row=message)

    def ask(
        self, model_admin: ScopedAdmin, request: HttpRequest, queryset: QuerySet[Any]
    ) -> HttpResponse | None:
        """Show the same form for the messages selected in the list, and retry the eligible ones on a valid POST."""
        eligible = self._with_parties(model_admin, self.eligible(queryset)).order_by("pk")
        rows = list(eligible[:MAX_MESSAGES])
        others = list(
            self._with_parties(model_admin, queryset.exclude(pk__in=[row.pk for row in rows])).order_by("pk")[
                :MAX_MESSAGES
            ]
        )
        if not rows:
            self._warn(model_admin, request, others)
            return None
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self._do(model_admin, request, rows, form.cleaned_data["reason"], others)
            return None
        count_text = "one message" if len(rows) == 1 else f"{len(rows):,} messages"
        left_out = len(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)) - len(rows)
        return self._ask(
            model_admin,
            request,
            form,
            rows,
            f"{self.button}: {count_text}",
            request.get_full_path(),
            left_out=left_out if request.POST.get("select_across") != "1" else 0,
            left_out_rows=self._rows(others)[:MAX_NAMED],
            at_most=MAX_MESSAGES if len(rows) == MAX_MESSAGES else 0,
        )

    def _with_parties(self, model_admin: ScopedAdmin, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related(*(model_admin.list_select_related or ())).defer("sealed")  # type: ignore[misc]

    def _ask(
        self,
        model_admin: ScopedAdmin,
        request: HttpRequest,
        form: ReasonForm,
        rows: list[Any],
        title: str,
        back: str,
        **context: Any,
    ) -> HttpResponse:
        return model_admin.page(
            request,
            "admin/uftp/retry.html",
            title,
            form=form,
            submit=self.button if context.get("row") is None else title,
            cancel=back,
            consequences=self.consequences,
            rows=self._rows(rows[:MAX_NAMED]),
            more=max(0, len(rows) - MAX_NAMED),
            keys=[each.pk for each in rows] if context.get("row") is None else [],
            checkbox=helpers.ACTION_CHECKBOX_NAME,
            action=self.name,
            **context,
        )

    def _rows(self, rows: list[Any]) -> list[tuple[object, ...]]:
        """Return the rows of the table of messages: the message, its participant, its state, and what is with it."""
        texts = self.explain(rows)
        return [
            (
                link(each, f"{each.message_type} {each.pk}"),
                " ".join(self.party(each)),
                each.get_state_display(),
                texts.get(each.pk, ""),
            )
            for each in rows
        ]

    def _warn(self, model_admin: ScopedAdmin, request: HttpRequest, rows: list[Any]) -> None:
        """Say why messages are not retried, or not at once: one warning for each reason, with their numbers."""
        texts = self.explain(rows)
        by_text: dict[str, list[int]] = {}
        for row in rows:
            by_text.setdefault(texts.get(row.pk, self.failed), []).append(row.pk)
        for text, keys in sorted(by_text.items(), key=lambda each: each[1])[:MAX_REASONS]:
            named = ", ".join(str(key) for key in keys[:MAX_NAMED]) + (" …" if len(keys) > MAX_NAMED else "")
            model_admin.message_user(
                request, f"Message{'' if len(keys) == 1 else 's'} {named}: {text}", messages.WARNING
            )

    def _do(
        self,
        model_admin: ScopedAdmin,
        request: HttpRequest,
        rows: list[Any],
        reason: str,
        others: Sequence[Any] = (),
    ) -> None:
        def do() -> list[Any]:
            done = self.run([row.pk for row in rows])
            known = self._participants(done)
            for message in done:
                audit.record(
                    actor(request),
                    self.button.lower(),
                    self.audited_as(message),
                    reason=reason,
                    about=message,
                    participants=[known[party]] if (party := self.party(message)) in known else [],
                )
            return done

        done = retried(do)
        if done:
            verb_phrase = "message is" if len(done) == 1 else "messages are"
            model_admin.message_user(request, f"{len(done)} {verb_phrase} {self.done}.", messages.SUCCESS)
        manager, keys = model_admin.model._default_manager, [row.pk for row in (*rows, *others)]
        retried_ones = {message.pk for message in done}
        present = list(self._with_parties(model_admin, manager.filter(pk__in=keys)).order_by("pk"))
        texts = self.explain(present)
        self._warn(
            model_admin, request, [row for row in present if row.pk in texts or row.pk not in retried_ones]
        )
        self.wake(done)

    def _participants(self, done: list[Any]) -> dict[tuple[str, str], int]:
        domains = {self.party(message)[1] for message in done}
        rows = Participant.objects.filter(domain__in=domains).values_list("pk", "role", "domain")
        return {(role, domain): pk for pk, role, domain in rows}

    def _acted_on(self, model_admin: ScopedAdmin, request: HttpRequest, message: Any) -> QuerySet[Any]:
        """Return the message, if this member of staff acts for its participant."""
        return model_admin.acted_on(request, model_admin.model._default_manager.filter(pk=message.pk))
