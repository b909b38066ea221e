"""The contacts of a participant: a card on its page, and the pages to add, change and remove one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html

from common.display import PLACEHOLDER
from participants.admin_base.extensions import Card, button
from participants.admin_base.html import table
from participants.admin_base.pages import Page, may_change
from participants.admin_base.scoped import ScopedAdmin
from participants.journal import contacts
from participants.models import Contact, Participant

MAY = "participants.change_contact"
DENIED = "Changing contacts needs the right to change contacts, and to act for the participant."
PURPOSES = ("conflicts", "operations", "contracts", "keys", "at night")
"""Purposes that the form suggests."""


class ContactForm(forms.ModelForm[Contact]):
    class Meta:
        model = Contact
        fields = ["name", "purpose", "email", "telephone", "is_told"]
        widgets = {
            "purpose": forms.TextInput(attrs={"list": "purposes"}),
            "telephone": forms.TextInput(attrs={"type": "tel"}),
        }


def may(model_admin: Any, request: HttpRequest, participant: Participant) -> bool:
    """Return whether this member of staff may change the contacts of `participant`."""
    return may_change(model_admin, request, participant) and request.user.has_perm(MAY)


def contacts_card(model_admin: Any, request: HttpRequest, participant: Participant) -> Card | None:
    """Return the card with the contacts of a participant; None for who may not see them."""
    if not request.user.has_perm("participants.view_contact"):
        return None
    changes = may(model_admin, request, participant)
    rows = [
        (
            format_html(
                '<a href="{}">{}</a>', model_admin.url_to("contact", participant.pk, contact.pk), contact.name
            )
            if changes
            else contact.name,
            contact.purpose,
            format_html('<a href="mailto:{0}">{0}</a>', contact.email) if contact.email else PLACEHOLDER,
            format_html('<a href="tel:{}">{}</a>', contact.telephone.replace(" ", ""), contact.telephone)
            if contact.telephone
            else PLACEHOLDER,
            "yes" if contact.is_told and contact.email else "no",
        )
        for contact in participant.contacts.all()
    ]
    tools = [button(model_admin.url_to("contact_add", participant.pk), "Add a contact")] if changes else []
    shown = (
        table(("Name", "Purpose", "E-mail", "Telephone", "Told of decisions"), rows) if rows else "None yet."
    )
    return Card("Contacts", tools=tools, body=shown, wide=True)


def add_view(model_admin: ScopedAdmin, request: HttpRequest, participant: Participant) -> HttpResponse:
    """Add a contact."""
    return _edit(model_admin, request, participant, Contact(participant=participant), "Add a contact")


def change_view(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, number: int
) -> HttpResponse:
    """Change a contact, or remove it."""
    contact = participant.contacts.filter(pk=number).first()
    if contact is None:
        raise Http404
    if request.method == "POST" and "remove" in request.POST:
        contacts.remove(contact, actor=request.user.get_username())
        return _back(model_admin, request, participant, "The contact is removed.")
    return _edit(model_admin, request, participant, contact, f"Contact {contact.name}")


def _edit(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, contact: Contact, title: str
) -> HttpResponse:
    new = contact.pk is None
    form = ContactForm(request.POST or None, instance=contact)
    if request.method == "POST" and form.is_valid():
        try:
            contacts.save(form.instance, actor=request.user.get_username())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return _back(model_admin, request, participant, f"The contact is {'added' if new else 'saved'}.")
    return model_admin.page(
        request,
        "admin/participants/contact.html",
        title,
        row=participant,
        form=form,
        purposes=PURPOSES,
        submit="Add" if new else "Save",
        removable=not new,
        cancel=model_admin.url_to("change", participant.pk),
    )


def _back(
    model_admin: ScopedAdmin, request: HttpRequest, participant: Participant, said: str
) -> HttpResponse:
    model_admin.message_user(request, said, messages.SUCCESS)
    return HttpResponseRedirect(model_admin.url_to("change", participant.pk))


PAGES = (
    Page("<path:object_id>/contacts/add/", "contact_add", add_view, may, DENIED),
    Page("<path:object_id>/contacts/<int:number>/", "contact", change_view, may, DENIED),
)
