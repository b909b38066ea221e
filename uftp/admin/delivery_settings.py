"""The page of a participant's delivery settings: an access token, a client certificate, and a test of both.

Secrets are write-only: no page ever shows one. `uftp.admin.extension` adds the page and the card.
"""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from common import clock
from common.display import PLACEHOLDER
from common.retry import retried
from participants import certificates, discovery
from participants.admin_base.extensions import Card, badge, button
from participants.admin_base.html import moment
from participants.admin_base.pages import Page, may_change
from participants.admin_base.reasons import ReasonForm, actor
from participants.admin_base.scoped import ScopedAdmin
from participants.credentials import (
    PLAIN_FIELDS,
    SECRET_FIELDS,
    change_delivery_settings,
    credentials_of,
    version_token,
)
from participants.encryption import EncryptionFailed
from participants.models import DeliverySettings, Participant
from uftp.delivery.deliver import endpoint_of
from uftp.delivery.probe import ProbesBusy, Step, probe

LATEST_MAJOR = 3
"""The major version of the path that a test asks for."""

STORED = "Stored; empty: it stays"


class SecretTextarea(forms.Textarea):
    """A text area that never shows what was typed into it, also after an error."""

    def format_value(self, value: Any) -> str:
        return ""


class CertificateTextarea(forms.Textarea):
    """A text area that does not show a text with a private key in it."""

    def format_value(self, value: Any) -> str | None:
        return "" if certificates.PRIVATE_KEY in str(value) else super().format_value(value)


class DeliverySettingsForm(ReasonForm):
    """What the participant demands. `version` is the version that the page showed."""

    token_url = forms.CharField(
        required=False,
        max_length=500,
        label="Token URL",
        help_text="https; empty: no access token is demanded",
    )
    client_id = forms.CharField(required=False, max_length=500, label="Client id")
    client_secret = forms.CharField(
        required=False,
        max_length=5_000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )
    scope = forms.CharField(required=False, max_length=500, help_text="Empty: none is requested")
    secret_in_body = forms.BooleanField(
        required=False,
        label="Send client id and secret in the body",
        help_text="Instead of the Authorization header, if the authorization server wants it so",
    )
    client_certificate = forms.CharField(
        required=False,
        max_length=certificates.MAX_PEM,
        widget=CertificateTextarea(attrs={"rows": 4, "cols": 66, "spellcheck": "false"}),
        help_text="PEM: the certificate first, then its chain. Empty: none is offered",
    )
    client_key = forms.CharField(
        required=False,
        max_length=certificates.MAX_PEM,
        widget=SecretTextarea(attrs={"rows": 4, "cols": 66, "spellcheck": "false", "autocomplete": "off"}),
    )
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, stored: DeliverySettings | None, **kwargs: Any) -> None:
        row = stored or DeliverySettings()
        initial = {name: getattr(row, name) for name in PLAIN_FIELDS}
        super().__init__(*args, initial={**initial, "version": version_token(stored)}, **kwargs)
        for name in ("token_url", "client_id", "client_secret", "scope"):
            self.fields[name].widget.attrs["size"] = 50
        for name in SECRET_FIELDS:
            self.fields[name].help_text = STORED if getattr(row, name) else "None is stored"

    def change(self, participant: Participant, *, actor: str) -> None:
        """Store the values of the form, once it is valid.

        Raises:
            ValidationError: A value is not allowed.
        """
        change_delivery_settings(
            participant,
            {name: self.cleaned_data[name] for name in PLAIN_FIELDS},
            secrets={name: self.cleaned_data[name] for name in SECRET_FIELDS},
            actor=actor,
            now=clock.now(),
            reason=self.cleaned_data["reason"],
            expected=self.cleaned_data["version"],
        )


@sensitive_post_parameters(*SECRET_FIELDS)
def _edit(request: HttpRequest, model_admin: ScopedAdmin, participant: Participant) -> HttpResponse:
    stored = DeliverySettings.objects.filter(pk=participant.pk).first()
    form = DeliverySettingsForm(request.POST or None, stored=stored)
    back = model_admin.url_to("change", participant.pk)
    if request.method == "POST" and form.is_valid():
        try:
            retried(lambda: form.change(participant, actor=actor(request)))
        except ValidationError as error:
            form.refuse(error)
        else:
            text = f"The delivery settings of {participant} are saved."
            model_admin.message_user(request, text, messages.SUCCESS)
            return HttpResponseRedirect(back)
    return model_admin.page(
        request,
        "admin/uftp/delivery_settings.html",
        "Delivery settings",
        row=participant,
        form=form,
        submit="Save",
        cancel=back,
    )


def edit(model_admin: ScopedAdmin, request: HttpRequest, participant: Participant) -> HttpResponse:
    """Show the form, and store what the participant demands; or test what is stored."""
    if request.method == "POST" and "test" in request.POST:
        _test(model_admin, request, participant)
        return HttpResponseRedirect(model_admin.url_to("delivery_settings", participant.pk))
    return _edit(request, model_admin, participant)


def _test(model_admin: ScopedAdmin, request: HttpRequest, participant: Participant) -> None:
    """Try the stored settings, and say status and time of each step."""
    try:
        endpoint = endpoint_of(participant.endpoint, participant.role, participant.domain, LATEST_MAJOR)
        if not endpoint:
            raise discovery.DiscoveryFailed("no endpoint is configured or published for this participant")
        steps = probe(endpoint, credentials_of(participant.pk))
    except (discovery.DiscoveryFailed, EncryptionFailed) as failure:
        model_admin.message_user(request, f"Not tested: {failure}.", messages.ERROR)
    except ProbesBusy:
        model_admin.message_user(request, "Other tests run at present: try again.", messages.WARNING)
    else:
        for step in steps:
            passed = step.status is not None and step.status not in (401, 403, 407)
            level = messages.SUCCESS if passed else messages.ERROR
            model_admin.message_user(request, _in_words(step), level)


def _in_words(step: Step) -> str:
    result = f"HTTP {step.status}" if step.status is not None else step.failure
    return f"{step.name}: {result}, after {step.seconds:.1f} s."


def delivery_settings_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card:
    """Return the card that says what is stored, with the buttons to change and to test it."""
    stored = DeliverySettings.objects.filter(pk=participant.pk).first()
    rows: list[tuple[str, object]] = []
    if stored and stored.token_url:
        rows += [("Access token from", stored.token_url), ("Client id", stored.client_id)]
        rows += [("Client secret", "stored")]
    if stored and stored.client_certificate:
        about = certificates.describe(stored.client_certificate)
        ended = about.until <= clock.now()
        until = badge("bad", f"ended at {moment(about.until)}") if ended else moment(about.until)
        rows += [("Client certificate", about.subject), ("Valid until", until), ("Client key", "stored")]
    tools = []
    if model_admin.has_change_permission(request, participant):
        url = reverse("admin:participants_participant_delivery_settings", args=[participant.pk])
        tools = [button(url, "Change or test")]
    return Card("Delivery settings", rows or [("Demands", PLACEHOLDER)], tools)


PAGES = (Page("<path:object_id>/delivery-settings/", "delivery_settings", edit, may=may_change),)
"""The page below the page of a participant."""
