"""The screens of participants: the list, the page of a participant, adding and editing."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import Count, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString

from common import clock
from common.display import PLACEHOLDER
from common.search import FieldCondition, by
from participants import edits, key_changes, registration
from participants.admin import contacts, follow_ups, keys, standing
from participants.admin.keys import KeyFilter, key_table, valid_keys_in_words
from participants.admin.standing import STANDING_CHANGES, authorize, meaning, standing_badge, suspend
from participants.admin_base.audited import changes_in_words
from participants.admin_base.extensions import Card, badge, button, cards
from participants.admin_base.filters import LastHeardFilter
from participants.admin_base.html import link, list_link, moment, one_per_line, table
from participants.admin_base.journal import JOURNAL_PAGES, journal_of
from participants.admin_base.reasons import FORM_PAGES, ReasonedAdmin, ReasonModelForm, actor
from participants.admin_base.scalable import ScalableAdmin
from participants.admission import current_mode
from participants.discovery import endpoint_in_words
from participants.models import AuditEntry, Participant, PublicKey

_EDITABLE_FIELDS = ["name", "endpoint", "placeholders"]
_ADD_FIELDS = ["role", "domain", "name", "public_key", "endpoint", "standing", "placeholders"]
MAX_LATEST_ENTRIES = 5
"""Audit entries on the page of a participant."""


class ParticipantForm(ReasonModelForm):
    """The configuration of a participant. A new participant gets its first key here too."""

    public_key = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "cols": 60, "spellcheck": "false", "autocapitalize": "none"}),
        help_text="As the participant publishes it: cs1.… (never its private key). Empty: found by discovery",
    )

    class Meta:
        model = Participant
        widgets = {"endpoint": forms.TextInput(attrs={"class": "vLargeTextField"})}
        fields = ["role", "domain", "name", "standing", "endpoint", "placeholders"]

    def clean_public_key(self) -> str:
        text: str = self.cleaned_data["public_key"]
        if text:
            try:
                PublicKey(participant=self.instance, text=text).clean()
            except ValidationError as error:
                raise ValidationError(error.messages) from None
        return text

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _EDITABLE_FIELDS if self.instance.pk else ():
            if name in self.fields:
                self.fields[name].show_hidden_initial = True

    def clean(self) -> dict[str, Any]:
        """Check that no other user has changed the edited fields since the page was opened."""
        data: dict[str, Any] = super().clean() or {}
        if self.instance.pk and not self.errors:
            edited = {name: data[name] for name in self.edited()}
            expected: edits.Values = {name: self._initial_value(name) for name in edited}
            stored = registration.lock_and_check(self.instance, edited, expected)
            data |= {name: getattr(stored, name) for name in _EDITABLE_FIELDS if name not in edited}
        return data

    def edited(self) -> list[str]:
        """Return the fields that differ from the values that the page showed."""
        return [name for name in _EDITABLE_FIELDS if name in self.changed_data]

    def _initial_value(self, name: str) -> Any:
        """Return the value that the page showed in the field `name`."""
        return self.fields[name].to_python(self.data.get(self.add_initial_prefix(name)))


@admin.register(Participant)
class ParticipantAdmin(ReasonedAdmin, ScalableAdmin):
    """Standing and keys have pages of their own, which show the consequences. The rest is edited on the main page."""

    scope_by = ("pk",)
    form = ParticipantForm
    list_display = [
        "domain",
        "role_column",
        "name",
        "standing_column",
        "keys_valid",
        "last_heard",
        "endpoint",
    ]
    export_display = (
        "domain",
        "role",
        "name",
        "standing",
        ("Keys valid", "valid_keys"),
        ("Last heard from", "last_heard_at"),
        "endpoint",
        ("Added", "created_at"),
    )
    list_filter = ["role", "standing", KeyFilter, LastHeardFilter]
    search_fields = ["domain__startswith"]
    search_help_text = "Part of a domain, a name or an endpoint; or what a public key starts with"
    sortable_by = ("domain", "role_column", "name", "standing_column", "last_heard")
    ordering = ("role", "domain")
    actions = [authorize, suspend]
    pages = (
        *FORM_PAGES,
        *follow_ups.PAGES,
        *standing.PAGES,
        *keys.PAGES,
        *contacts.PAGES,
        *JOURNAL_PAGES,
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        valid = PublicKey.objects.valid_at(clock.now()).filter(participant=OuterRef("pk")).order_by()
        counts = valid.values("participant").annotate(count=Count("pk")).values("count")
        rows: QuerySet[Participant] = super().get_queryset(request)
        return rows.annotate(valid_keys=Coalesce(Subquery(counts, output_field=IntegerField()), 0))

    def search_conditions(self, request: HttpRequest, text: str) -> list[FieldCondition]:
        """Search anywhere in the text: there are only hundreds of participants."""
        role, _, domain = text.partition(" ")
        of_keys = PublicKey.objects.filter(text__startswith=text).values("participant")
        return [
            *by("domain", Q(role__iexact=role, domain__iexact=domain), Q(domain__icontains=text)),
            *by("name", Q(name__icontains=text)),
            *by("endpoint", Q(endpoint__icontains=text)),
            *by("public key", Q(pk__in=of_keys)),
        ]

    @admin.display(description="role", ordering="role")
    def role_column(self, participant: Participant) -> str:
        return participant.role

    @admin.display(description="standing", ordering="standing")
    def standing_column(self, participant: Participant) -> SafeString:
        return standing_badge(participant.standing)

    @admin.display(description="keys valid")
    def keys_valid(self, participant: Any) -> SafeString | int:
        return participant.valid_keys or badge("bad", "none")

    @admin.display(description="last heard from", ordering="last_heard_at")
    def last_heard(self, participant: Participant) -> str:
        return moment(participant.last_heard_at) if participant.last_heard_at else "never"

    def get_fields(self, request: HttpRequest, obj: Participant | None = None) -> Any:
        """Return the fields. Role, domain and first key are only for a new participant."""
        if obj is None:
            return [*_ADD_FIELDS, "reason"]
        return [*_EDITABLE_FIELDS, "reason"] if self.has_change_permission(request, obj) else _EDITABLE_FIELDS

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Take role and domain from a link to the form, and nothing else: a key comes from a trusted channel."""
        initial = super().get_changeform_initial_data(request)
        return {name: initial[name] for name in ("role", "domain") if name in initial}

    def has_delete_permission(self, request: HttpRequest, obj: Participant | None = None) -> bool:
        """Participants are suspended or barred, never deleted: their messages and facts refer to them."""
        return False

    def save_model(self, request: HttpRequest, obj: Participant, form: Any, change: bool) -> None:
        reason, key = form.cleaned_data["reason"], form.cleaned_data.get("public_key")
        if change:
            edited = {name: form.cleaned_data[name] for name in form.edited()}
            registration.change_participant(obj, edited, actor=actor(request), reason=reason)
            return
        registration.add_participant(obj, actor=actor(request), reason=reason)
        if key:
            key_changes.add_key(obj, key, actor=actor(request), now=clock.now(), reason=reason)

    def response_add(
        self, request: HttpRequest, obj: Participant, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Redirect to the participant's page, where the connection can be tested."""
        self.message_user(request, f"{obj} is added.", messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", obj.pk))

    def response_change(self, request: HttpRequest, obj: Participant) -> HttpResponse:
        self.message_user(request, f"{obj} is saved.", messages.SUCCESS)
        return HttpResponseRedirect(self.url_to("change", obj.pk))

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        context = {
            **super().page_context(request, row),
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        if row is not None:
            context |= {
                "cards": [
                    self._standing_card(request, row),
                    _card_about(row),
                    *cards(self, request, row),
                    contacts.contacts_card(self, request, row),
                    self._key_card(request, row),
                    self._audit_card(request, row),
                ],
                "title": str(row),
                "subtitle": None,
                **journal_of(self, request, row),
            }
        return context

    def _standing_card(self, request: HttpRequest, participant: Participant) -> Card:
        given = AuditEntry.objects.about(participant).filter(after__has_key="standing").first()
        rows: list[tuple[str, object]] = [
            ("Standing", standing_badge(participant.standing)),
            ("Means", meaning(participant.standing, current_mode())),
        ]
        if given:
            rows.append(("Since", f"{moment(given.moment)}, by {given.actor}"))
            rows.append(("Why", given.reason or PLACEHOLDER))
        tools = []
        if self.has_change_permission(request, participant):
            tools = [
                button(self.url_to("standing", participant.pk, standing), change.button)
                for standing, change in STANDING_CHANGES.items()
                if standing != participant.standing
            ]
        return Card("Standing", rows, tools)

    def _key_card(self, request: HttpRequest, participant: Participant) -> Card:
        may, now = self.has_change_permission(request, participant), clock.now()
        return Card(
            "Public keys",
            [("In force", valid_keys_in_words(participant, now))],
            [button(self.url_to("rotate", participant.pk), "Rotate key")] if may else [],
            key_table(participant.keys.all(), now, may_change=may),
            wide=True,
        )

    def _audit_card(self, request: HttpRequest, participant: Participant) -> Card | None:
        if not request.user.has_perm("participants.view_auditentry"):
            return None
        latest = AuditEntry.objects.filter(participants__contains=[participant.pk])[:MAX_LATEST_ENTRIES]
        rows = [
            (
                link(entry, moment(entry.moment)),
                entry.actor,
                entry.action,
                one_per_line(changes_in_words(entry)),
                entry.reason or PLACEHOLDER,
            )
            for entry in latest
        ]
        every = list_link(AuditEntry, "All audit entries about it", participant=str(participant))
        entries = table(("Moment", "Who", "What", "Before → after", "Why"), rows)
        return Card("Latest audit entries", body=format_html("{}<p>{}</p>", entries, every), wide=True)


def _card_about(participant: Participant) -> Card:
    heard = participant.last_heard_at
    return Card(
        "About it",
        [
            ("Name", participant.name or PLACEHOLDER),
            ("Endpoint", endpoint_in_words(participant.endpoint)),
            ("Last heard from", moment(heard) if heard else "never"),
            ("Added", moment(participant.created_at)),
        ],
    )
