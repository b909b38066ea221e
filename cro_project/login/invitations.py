"""Invitations: one-time links by which staff set their password, so that nobody else ever knows it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.forms import SetPasswordMixin
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.generic import View

from common import clock
from cro_project.login import two_factor
from cro_project.models import Invitation
from participants import audit

VALID_FOR = timedelta(hours=24)
TOKEN_BYTES = 32
IN_SESSION = "invitation"
"""Where the session has the hash of the token that the browser gave: no page after the first has it in its URL."""


def make(user: User, *, now: datetime) -> str:
    """Make an invitation, in place of an earlier one of `user`, and return its token. It cannot be read again."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    Invitation.objects.update_or_create(
        user=user,
        defaults={"token_hash": hashed(token), "made_at": now, "expires_at": now + VALID_FOR},
    )
    return token


def end(user: User) -> None:
    """End the invitation of `user`, if there is one: the password has been set in another way."""
    Invitation.objects.filter(user=user).delete()


def invited(token_hash: bytes, *, now: datetime) -> User | None:
    """Return whom a token invites; None if it is unknown, used or expired, or the account is not active."""
    found = Invitation.objects.filter(token_hash=token_hash, expires_at__gt=now).select_related("user")
    invitation = found.filter(user__is_active=True, user__is_staff=True).first()
    return invitation.user if invitation else None


@sensitive_variables("password")
@transaction.atomic
def accept(token_hash: bytes, password: str, *, now: datetime) -> User | None:
    """Set the password of whom a token invites, and end the invitation.

    Return the user; None if the token invites nobody, such as one that was used a moment ago.
    """
    user = invited(token_hash, now=now)
    if user is None:
        return None
    used, _ = Invitation.objects.filter(user=user, token_hash=token_hash).delete()
    if not used:
        return None
    user.set_password(password)
    user.save(update_fields=["password"])
    name = user.get_username()
    audit.record(
        name, "accepted invitation", two_factor.subject(user), reason=two_factor.OWN_ACCOUNT, about=user
    )
    return user


def url(request: HttpRequest, token: str) -> str:
    """Return the link of an invitation."""
    return request.build_absolute_uri(reverse("admin:invitation", args=[token]))


def hashed(token: str) -> bytes:
    """Return the hash under which a token is stored. A token is too long to be found from it."""
    return hashlib.sha256(token.encode()).digest()


class ChosenPasswordForm(SetPasswordMixin, forms.Form):  # type: ignore[type-arg]
    """The password that somebody chooses for themselves."""

    password1, password2 = SetPasswordMixin.create_password_fields()

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean(self) -> dict[str, Any]:
        self.validate_passwords()
        self.validate_password_for_user(self.user)
        return super().clean() or {}


@method_decorator([never_cache, sensitive_post_parameters()], name="dispatch")
class InvitationPage(View):
    """The page of an invitation: it asks for the new password."""

    def get(self, request: HttpRequest, token: str = "") -> HttpResponse:
        if token:
            if invited(hashed(token), now=clock.now()) is None:
                return self._over(request)
            request.session[IN_SESSION] = hashed(token).hex()
            return redirect("admin:invitation_accept")
        user = self._invited(request)
        return (
            self._over(request) if user is None else self._ask(request, ChosenPasswordForm(user=user), user)
        )

    def post(self, request: HttpRequest, token: str = "") -> HttpResponse:
        user = self._invited(request)
        if user is None:
            return self._over(request)
        form = ChosenPasswordForm(request.POST, user=user)
        if not form.is_valid():
            return self._ask(request, form, user)
        token_hash = bytes.fromhex(request.session.pop(IN_SESSION))
        accepted = accept(token_hash, form.cleaned_data["password1"], now=clock.now())
        if accepted is None:
            return self._over(request)
        messages.success(request, f"Your password is set. Log in as {accepted.get_username()}.")
        return redirect("admin:login")

    @staticmethod
    def _invited(request: HttpRequest) -> User | None:
        token_hash = request.session.get(IN_SESSION)
        return invited(bytes.fromhex(token_hash), now=clock.now()) if token_hash else None

    @staticmethod
    def _ask(request: HttpRequest, form: ChosenPasswordForm, user: User) -> HttpResponse:
        return _page(request, "Choose your password", form=form, errors=form.errors, who=user.get_username())

    @staticmethod
    def _over(request: HttpRequest) -> HttpResponse:
        return _page(request, "This invitation is not valid", errors=None)


def _page(request: HttpRequest, title: str, **context: Any) -> HttpResponse:
    shown = {**admin.site.each_context(request), "title": title, "subtitle": None, **context}
    return TemplateResponse(request, "admin/invitation.html", shown)


def urls() -> list[Any]:
    """Return the pages of invitations. They are for those who are not logged in."""
    page = InvitationPage.as_view()
    return [
        path("invitation/", page, name="invitation_accept"),
        path("invitation/<str:token>/", page, name="invitation"),
    ]
