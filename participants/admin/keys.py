"""The public keys of a participant, and the pages to rotate and end them."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone_name

from common import clock
from common.retry import retried
from participants import key_changes, registration
from participants.admin_base.extensions import badge
from participants.admin_base.html import moment
from participants.admin_base.pages import Page, may_change
from participants.admin_base.reasons import MomentInput, ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from participants.models import Participant, PublicKey

OVERLAP_DAYS = 14
LONGEST_OVERLAP_DAYS = 365


class KeyFilter(admin.SimpleListFilter):
    """Filter the participants that have keys here, or none, valid or not."""

    title = "keys here"
    parameter_name = "keys"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("some", "Some"), ("none", "None: found by discovery, if published")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        key = PublicKey.objects.filter(participant=OuterRef("pk"))
        match self.value():
            case "some":
                return queryset.filter(Exists(key))
            case "none":
                return queryset.filter(~Exists(key))
        return queryset


def state(key: PublicKey, now: datetime) -> tuple[str, str]:
    """Return the tone and the text that say whether `key` is valid at `now`, and for how long."""
    if key.valid_until and key.valid_until <= now:
        return "", "ended"
    if key.valid_from and key.valid_from > now:
        return "warn", f"not valid yet; from {moment(key.valid_from)} on"
    if key.valid_until:
        return "warn", f"valid for another {_in_words(key.valid_until - now)}"
    return "ok", "valid"


def valid_keys_in_words(participant: Participant, now: datetime) -> SafeString:
    """Return how many keys of `participant` are valid at `now`, with a warning if none is."""
    valid = sum(key.is_valid_at(now) for key in participant.keys.all())
    if not valid:
        return badge("bad", "none valid")
    return badge("ok" if valid == 1 else "warn", f"{valid} valid")


def key_table(keys: Iterable[PublicKey], now: datetime, *, may_change: bool = False) -> SafeString:
    """Return a table of the keys with their validity and state at `now`, with links to change them if `may_change`."""
    rows = []
    for key in keys:
        tone, text = state(key, now)
        page = reverse("admin:participants_participant_key", args=[key.participant_id, key.pk or 0])
        rows.append(
            {
                "text": key.text,
                "added": moment(key.added_at),
                "begins": moment(key.valid_from) if key.valid_from else "always",
                "ends": moment(key.valid_until) if key.valid_until else "until it is replaced",
                "state": badge(tone, text),
                "change": format_html(
                    '<a href="{}" aria-label="Change when {} is valid">Change</a>', page, key.text
                )
                if may_change
                else "",
            }
        )
    context = {"rows": rows, "may_change": may_change}
    return SafeString(render_to_string("admin/participants/key_table.html", context))


class RotationForm(ReasonForm):
    """A key that replaces the participant's other keys."""

    public_key = forms.CharField(
        label="New public key",
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60, "spellcheck": "false", "autocapitalize": "none"}),
        help_text="As the participant publishes it: cs1.… (never its private key)",
        error_messages={"required": "Paste the key that the participant publishes."},
    )
    begins = forms.DateTimeField(label="Valid from", required=False, widget=MomentInput)
    overlap_days = forms.IntegerField(
        label="Old keys stay valid for",
        min_value=0,
        max_value=LONGEST_OVERLAP_DAYS,
        initial=OVERLAP_DAYS,
        help_text="Days beside the new key, so that no moment has to be agreed on. 0: they end as soon as the new key "
        "is valid, such as after a theft.",
        error_messages={"required": f"Give a number of days, such as {OVERLAP_DAYS}; 0 ends the old keys."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["begins"].help_text = f"Empty: at once. In the time of {get_current_timezone_name()}"

    def rotate(self, participant: Participant, *, actor: str, now: datetime, reason: str) -> PublicKey:
        """Rotate the keys as the valid form says. Raise ValidationError if that is refused."""
        return key_changes.rotate_key(
            participant,
            self.cleaned_data["public_key"],
            begins=self.cleaned_data["begins"],
            overlap=timedelta(days=self.cleaned_data["overlap_days"]),
            actor=actor,
            now=now,
            reason=reason,
        )


class ValidityForm(ReasonForm):
    """The validity of a key. `expected` is the `validity_token` that the page showed."""

    valid_from = forms.DateTimeField(
        required=False, widget=MomentInput, help_text="Empty: without a beginning"
    )
    valid_until = forms.DateTimeField(required=False, widget=MomentInput)
    expected = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, key: PublicKey, **kwargs: Any) -> None:
        stored = {"valid_from": key.valid_from, "valid_until": key.valid_until}
        super().__init__(*args, initial={**stored, "expected": key_changes.validity_token(key)}, **kwargs)
        self.fields["valid_until"].help_text = (
            f"Empty: until it is replaced. In the time of {get_current_timezone_name()}. "
            "“End it at once” needs no moment: messages signed with it are refused from then on."
        )

    def moments(self) -> dict[str, datetime | None]:
        """Return the moments that were changed, once the form is valid."""
        names: tuple[str, ...] = ("valid_from", "valid_until")
        return {name: self.cleaned_data[name] for name in names if name in self.changed_data}


def rotate(model_admin: ScopedAdmin, request: HttpRequest, participant: Participant) -> HttpResponse:
    """Ask for the key that replaces the others, and rotate."""
    form = RotationForm(request.POST or None)
    now = clock.now()
    if request.method == "POST" and form.is_valid():
        try:
            reason = form.cleaned_data["reason"]
            key = retried(lambda: form.rotate(participant, actor=actor(request), now=now, reason=reason))
        except ValidationError as error:
            form.refuse(error)
        else:
            text = f"The key of {participant} is rotated: {key.text} is {state(key, now)[1]}."
            model_admin.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(model_admin.url_to("change", participant.pk))
    return model_admin.page(
        request,
        "admin/participants/rotate_key.html",
        "Rotate key",
        row=participant,
        form=form,
        submit="Rotate key",
        cancel=model_admin.url_to("change", participant.pk),
        preview=model_admin.url_to("rotate_preview", participant.pk),
        keys=key_table(participant.keys.all(), now),
    )


def preview_rotation(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant
) -> HttpResponse:
    """Return the keys as they would be: rotate, read them, and roll back."""
    form = RotationForm({**request.POST.dict(), "reason": "preview"})
    now = clock.now()
    if not form.is_valid():
        return HttpResponse("")
    with transaction.atomic():
        try:
            form.rotate(participant, actor=actor(request), now=now, reason="preview")
        except ValidationError as error:
            preview = format_html('<p class="notice bad">{}</p>', registration.error_in_one_line(error))
        else:
            preview = format_html(
                '<h2>The keys after that</h2><div class="notice">{}</div>',
                key_table(participant.keys.all(), now),
            )
        transaction.set_rollback(True)
    return HttpResponse(preview)


def change_key(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, key_id: int
) -> HttpResponse:
    """Change the validity of a key, or end it at once."""
    key = participant.keys.filter(pk=key_id).first()
    if key is None:
        raise Http404
    now = clock.now()
    form = ValidityForm(request.POST or None, key=key)
    if request.method == "POST" and form.is_valid():
        how = {"actor": actor(request), "now": now, "reason": form.cleaned_data["reason"]}
        try:
            if "end" in request.POST:
                retried(lambda: key_changes.end_key(key, now, **how))
            else:
                moments = form.moments()
                expected = form.cleaned_data["expected"]
                retried(lambda: key_changes.change_key(key, moments, expected=expected, **how))
        except ValidationError as error:
            form.refuse(error)
            key.refresh_from_db()
        else:
            model_admin.message_user(request, f"{key.text} is {state(key, now)[1]}.", messages.SUCCESS)
            return HttpResponseRedirect(model_admin.url_to("change", participant.pk))
    others = [other for other in participant.keys.exclude(pk=key.pk) if other.is_valid_at(now)]
    return model_admin.page(
        request,
        "admin/participants/change_key.html",
        "When a key is valid",
        row=participant,
        form=form,
        submit="Save",
        cancel=model_admin.url_to("change", participant.pk),
        keys=key_table([key], now),
        alone=key.is_valid_at(now) and not others,
        can_end=key.valid_until is None or key.valid_until > now,
    )


def _in_words(span: timedelta) -> str:
    """Return a span in words, rounded to its largest unit: `13 days`, `5 hours`, `20 minutes`."""
    for seconds, unit in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        count = round(span.total_seconds() / seconds)
        if count >= 1 and span.total_seconds() >= seconds * 0.99:
            return f"{count} {unit}" + ("" if count == 1 else "s")
    return "moment"


PAGES = (
    Page("<path:object_id>/keys/rotate/", "rotate", rotate, may=may_change),
    Page("<path:object_id>/keys/rotate/preview/", "rotate_preview", preview_rotation, may=may_change),
    Page("<path:object_id>/keys/<int:key_id>/", "key", change_key, may=may_change),
)
