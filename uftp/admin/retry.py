"""Having something done once more with messages: one on its page, many from the list, always with a reason."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import helpers
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path

from common.retry import retried
from participants import audit
from participants.admin_base.html import link
from participants.admin_base.reasons import ReasonedAdmin, ReasonForm, actor
from participants.models import Participant
from uftp.models import InboundMessage, OutboundMessage

AT_ONCE = 1000
"""How many messages one action takes on."""

SHOWN = 50

Message = InboundMessage | OutboundMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What can be done once more: the name of the action, and what staff read about it."""

    action: str
    permission: str
    verb: str
    done: str
    otherwise: str
    follows: tuple[str, ...]


class AgainAdmin(ReasonedAdmin):
    """The page and the action that ask why, and do it."""

    again: ClassVar[Again]

    def eligible(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Those of `rows` with which it can be done."""
        raise NotImplementedError

    def do_again(self, keys: list[int]) -> list[Any]:
        """Do it, in the caller's transaction, with what of these is eligible still; gives those messages."""
        raise NotImplementedError

    def wake(self, done: list[Any]) -> None:
        """Have it begin at once, after the commit."""
        raise NotImplementedError

    def party(self, message: Any) -> tuple[str, str]:
        """Role and domain of the one whom the message came from or goes to."""
        raise NotImplementedError

    def audited_as(self, message: Any) -> str:
        """The message in the audit trail."""
        raise NotImplementedError

    def verb_for(self, message: Any) -> str:
        """What the button on the page of this message says."""
        return self.again.verb

    def again_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_{self.again.action}"
        route = f"<path:object_id>/{self.again.action.replace('_', '-')}/"
        return [path(route, self.admin_site.admin_view(self.again_view), name=name)]

    def may_do_again(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self.again.permission))

    def offers_again(self, request: HttpRequest, message: Any) -> bool:
        """Whether this member of staff can have it done with this message."""
        this = self.model._default_manager.filter(pk=message.pk)
        return self.may_do_again(request) and self.acted_on(request, self.eligible(this)).exists()

    def again_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Says what will follow, asks why, and does it with one message."""
        message = self.row_or_404(request, object_id)
        back = self._url("change", message.pk)
        this = self.acted_on(request, self.model._default_manager.filter(pk=message.pk))
        if not self.may_do_again(request) or not this.exists():
            raise PermissionDenied
        rows = list(self._with_parties(self.eligible(this)))
        if not rows:
            self.message_user(request, self.again.otherwise, messages.WARNING)
            return HttpResponseRedirect(back)
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            self._do(request, rows, form.cleaned_data["reason"])
            return HttpResponseRedirect(back)
        return self._ask(request, form, rows, self.verb_for(message), back, row=message)

    def ask_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """The same with those of the list's chosen messages with which it can be done."""
        eligible = self._with_parties(self.eligible(queryset)).order_by("pk")
        rows = list(eligible[:AT_ONCE])
        if not rows:
            self.message_user(request, self.again.otherwise, messages.WARNING)
            return None
        form = ReasonForm(request.POST if "reason" in request.POST else None)
        if form.is_valid():
            self._do(request, rows, form.cleaned_data["reason"])
            return None
        many = "one message" if len(rows) == 1 else f"{len(rows):,} messages"
        left_out = len(request.POST.getlist(helpers.ACTION_CHECKBOX_NAME)) - len(rows)
        return self._ask(
            request,
            form,
            rows,
            f"{self.again.verb}: {many}",
            request.get_full_path(),
            left_out=left_out if request.POST.get("select_across") != "1" else 0,
            at_most=AT_ONCE if len(rows) == AT_ONCE else 0,
        )

    def _with_parties(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.select_related(*(self.list_select_related or ())).defer("sealed")  # type: ignore[misc]

    def _ask(
        self, request: HttpRequest, form: ReasonForm, rows: list[Any], title: str, back: str, **context: Any
    ) -> HttpResponse:
        return self.page(
            request,
            "admin/uftp/again.html",
            title,
            form=form,
            submit=self.again.verb if context.get("row") is None else title,
            cancel=back,
            follows=self.again.follows,
            rows=[
                (link(each, each.message_type), " ".join(self.party(each)), each.get_state_display())
                for each in rows[:SHOWN]
            ],
            more=max(0, len(rows) - SHOWN),
            keys=[each.pk for each in rows] if context.get("row") is None else [],
            checkbox=helpers.ACTION_CHECKBOX_NAME,
            action=self.again.action,
            **context,
        )

    def _do(self, request: HttpRequest, rows: list[Any], reason: str) -> None:
        def do() -> list[Any]:
            done = self.do_again([row.pk for row in rows])
            known = self._participants(done)
            for message in done:
                audit.note(
                    actor(request),
                    self.again.verb.lower(),
                    self.audited_as(message),
                    reason=reason,
                    about=message,
                    participants=[known[party]] if (party := self.party(message)) in known else [],
                )
            return done

        done = retried(do)
        self.wake(done)
        if done:
            several = "message is" if len(done) == 1 else "messages are"
            self.message_user(request, f"{len(done)} {several} {self.again.done}.", messages.SUCCESS)
        else:
            self.message_user(request, self.again.otherwise, messages.WARNING)

    def _participants(self, done: list[Any]) -> dict[tuple[str, str], int]:
        domains = {self.party(message)[1] for message in done}
        rows = Participant.objects.filter(domain__in=domains).values_list("pk", "role", "domain")
        return {(role, domain): pk for pk, role, domain in rows}
