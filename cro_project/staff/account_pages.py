"""Pages below the page of a staff account: reset the second factor, invite; and what they share with others."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html

from common import clock
from common.retry import retried
from cro_project.login import invitations, two_factor
from cro_project.staff import accounts
from participants.admin_base.reasons import ReasonForm
from participants.admin_base.scoped import ScopedAdmin


def reason_page(
    model_admin: ScopedAdmin,
    request: HttpRequest,
    user: User,
    form: ReasonForm,
    title: str,
    save: Callable[[str], None],
) -> HttpResponse:
    """Show a page with `form`, which asks for the reason; on a valid POST, call `save` with the reason."""
    if request.method == "POST" and form.is_valid():
        try:
            save(form.cleaned_data["reason"])
        except ValidationError as refused:
            form.refuse(refused)
        else:
            return redirect(model_admin.url_to("change", user.pk))
    return model_admin.page(request, "admin/staff_question.html", title, row=user, form=form, button=title)


def reset_second_factor(model_admin: ScopedAdmin, request: HttpRequest, user: User) -> HttpResponse:
    """Delete the second factor of a user who has lost it."""
    if is_own(request, user):
        return to_own_page(request, "two_factor", "You look after your own second factor here.")

    def save(reason: str) -> None:
        actor = request.user.get_username()
        retried(lambda: two_factor.turn_off(user, actor=actor, reason=reason))
        messages.success(
            request, f"The second factor of {user.get_username()} is reset; they are logged out."
        )

    form = ReasonForm(request.POST or None)
    return reason_page(
        model_admin, request, user, form, f"Reset the second factor of {user.get_username()}", save
    )


def invite(model_admin: ScopedAdmin, request: HttpRequest, user: User) -> HttpResponse:
    """Make a new link for somebody who lost their password, or whose invitation has expired."""
    if is_own(request, user):
        return to_own_page(request, "password_change", "You change your own password here.")

    def save(reason: str) -> None:
        by = acting_user(request)
        token = retried(lambda: accounts.invite(user, actor=by, reason=reason, now=clock.now()))
        show_invitation(request, user, token)

    form = ReasonForm(request.POST or None)
    return reason_page(model_admin, request, user, form, f"Invite {user.get_username()}", save)


def show_invitation(request: HttpRequest, user: User, token: str) -> None:
    """Show the link of an invitation on the next page, and never again."""
    messages.success(
        request,
        format_html(
            "Give this link to {} yourself, by a channel that you trust. It works once, for 24 hours, and is not shown"
            " again: <code>{}</code>",
            user.get_username(),
            invitations.url(request, token),
        ),
    )


def is_own(request: HttpRequest, user: User) -> bool:
    """Return whether `user` is the one who makes the request."""
    return user.pk == request.user.pk


def to_own_page(request: HttpRequest, page: str, notice: str) -> HttpResponse:
    """Redirect to a page on which users change their own account. It asks for their password."""
    messages.info(request, notice)
    return redirect(f"admin:{page}")


def acting_user(request: HttpRequest) -> User:
    """Return the account of the one who makes the request."""
    return User.objects.get(username=request.user.get_username())
