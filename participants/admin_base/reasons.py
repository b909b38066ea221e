"""Forms and pages that ask for a reason when staff change something."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from common.retry import retried
from participants.admin_base.pages import Page, may_add
from participants.admin_base.scoped import ScopedAdmin

REASON_REQUIRED = "Say why: this is recorded with its reason."


def reason_field() -> forms.CharField:
    """Return the required field for the reason."""
    return forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2, "cols": 40}),
        help_text="Why; kept with your name in the audit trail",
        error_messages={"required": REASON_REQUIRED},
    )


class ReasonForm(forms.Form):
    """A form with a reason as its last field."""

    reason = reason_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields([name for name in self.fields if name != "reason"])

    def refuse(self, error: ValidationError) -> None:
        """Show the errors of a refused change, each at its field if the form has it."""
        if not hasattr(error, "error_dict"):
            self.add_error(None, error)
            return
        for name, texts in error.message_dict.items():
            field = "public_key" if name == "text" else name
            self.add_error(field if field in self.fields and name != NON_FIELD_ERRORS else None, texts)


class ReasonModelForm(forms.ModelForm[Any]):
    """A form of a row with a reason as its last field."""

    reason = reason_field()


class MomentInput(forms.DateTimeInput):
    """An input for a moment in the time zone of the page."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M:%S", attrs={"step": "1"})


class ReasonedAdmin(ScopedAdmin):
    """Ask for a reason on the pages that change a row."""

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)
        may_save = self.has_change_permission(request, obj) if obj else self.has_add_permission(request)
        return [*fields, "reason"] if may_save else fields


def add_form(model_admin: ReasonedAdmin, request: HttpRequest) -> HttpResponse:
    """Show Django's form that adds a row, and save it."""
    return _retry_lost_races(request, lambda: model_admin.add_view(request))


def change_form(model_admin: ReasonedAdmin, request: HttpRequest, key: str) -> HttpResponse:
    """Show Django's form of the row with the quoted `key`, and save it. Django checks scope and permission."""
    return _retry_lost_races(request, lambda: model_admin.change_view(request, key))


def _retry_lost_races(request: HttpRequest, view: Callable[[], HttpResponse]) -> HttpResponse:
    """Call `view`; if what it saves loses a race, call it again."""
    return retried(view) if request.method == "POST" else view()


FORM_PAGES = (Page("add/", "add", add_form, may=may_add), Page("<path:key>/change/", "change", change_form))
"""The pages of Django's forms. What they save is saved again when it loses a race."""


def actor(request: HttpRequest) -> str:
    """Return the user's name for the audit trail."""
    return request.user.get_username()


class OneRowAdmin(ScopedAdmin):
    """The admin of a table with one row, such as the mode. A page of the row (`CHANGE`) replaces the list.

    The row is never added or deleted, and concerns no participant. A subclass has `get_object`, which returns the row
    also while none is stored.
    """

    about_participants = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return HttpResponseRedirect(self.url_to("change", 1))
