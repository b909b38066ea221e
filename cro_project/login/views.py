"""The log-in of staff: the password first, then a code. A user who needs a second factor and has none sets one up.

Between the two steps the user is not logged in: the session only stores, for ten minutes, whose password was right.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import SESSION_KEY, authenticate, login
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from common import clock
from cro_project.login import two_factor
from cro_project.login.recovery_codes import show_codes
from participants.admin_base.html import moment

PENDING = "log_in_pending"
SECRET = "two_factor_secret"  # noqa: S105
CODE_TIMEOUT = timedelta(minutes=10)


@dataclass(frozen=True)
class Pending:
    """A log-in whose password was right: the user, the backend that checked it, and the URL of the page after it."""

    user: User
    backend: str
    next: str


def begin(request: HttpRequest, user: User, after: str) -> None:
    """Store in a new session that the password of `user` was right, and the URL of the page `after` the log-in."""
    backend: str = user.backend
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "backend": backend,
        "next": after,
        "until": (clock.now() + CODE_TIMEOUT).timestamp(),
    }


def pending(request: HttpRequest) -> Pending | None:
    """Return the log-in that began in this session; None if there is none, or it has expired."""
    stored = request.session.get(PENDING)
    if not stored or clock.now().timestamp() > stored["until"]:
        return None
    user = User.objects.filter(pk=stored["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), stored["password"]):
        return None
    return Pending(user, stored["backend"], stored["next"])


def finish(request: HttpRequest, begun: Pending, device: Any) -> None:
    """Log in the user of the log-in `begun`, whom `device` has verified."""
    request.session.pop(PENDING, None)
    request.session.pop(SECRET, None)
    begun.user.otp_device = device  # type: ignore[attr-defined]
    open_session(request, begun.user, begun.backend)


def open_session(request: HttpRequest, user: User, backend: str) -> None:
    """Log `user` in, under a new session key even if they are logged in already."""
    if SESSION_KEY in request.session:
        request.session.cycle_key()
    login(request, user, backend=backend)


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="6 digits from your app, or a recovery code",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )

    def clean_code(self) -> str:
        return two_factor.only_digits(self.cleaned_data["code"])


class AppCodeForm(CodeForm):
    """Ask for a code of the app that is being set up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "The 6 digits that the app shows"


class PasswordStep(LoginView):
    """Ask for the password. This is the only step for users who need no second factor."""

    next_page = "admin:index"
    authentication_form = AdminAuthenticationForm
    template_name = "admin/login.html"

    def form_valid(self, form: Any) -> Any:
        user = form.get_user()
        if two_factor.is_sufficient(user):
            return super().form_valid(form)
        begin(self.request, user, self.get_success_url())
        return redirect("admin:login_code" if two_factor.is_enrolled(user) else "admin:login_set_up")


@method_decorator([sensitive_post_parameters(), csrf_protect, never_cache], name="dispatch")
class SecondStep(View):
    """Base of the two kinds of second step. They need a log-in that has begun, and have one form."""

    form_class: type[CodeForm]
    template = ""
    title = ""
    button = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        begun = pending(request)
        if begun is None or two_factor.is_sufficient(begun.user):
            messages.warning(request, "Give your password again: the log-in took too long, or has ended.")
            return redirect("admin:login")
        self.begun = begun
        if two_factor.is_enrolled(begun.user) != (self.form_class is CodeForm):
            return redirect("admin:login_set_up" if self.form_class is CodeForm else "admin:login_code")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render(self.form_class())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST)
        return (self.accept(form) if form.is_valid() else None) or self.render(form)

    def accept(self, form: CodeForm) -> HttpResponse | None:
        """Return the response if the code is right. Otherwise return None; the form then holds the error."""
        raise NotImplementedError

    def extra_context(self) -> dict[str, Any]:
        """Return what the template needs besides the form."""
        return {}

    def render(self, form: CodeForm) -> HttpResponse:
        context = {
            **admin.site.each_context(self.request),
            "title": self.title,
            "form": form,
            "button": self.button,
            "user_name": self.begun.user.get_username(),
            **self.extra_context(),
        }
        return TemplateResponse(self.request, self.template, context)


class CodeStep(SecondStep):
    """Ask an enrolled user for a code from the app, or a recovery code."""

    form_class = CodeForm
    template = "admin/login_code.html"
    title = "Second step"
    button = "Log in"

    def accept(self, form: CodeForm) -> HttpResponse | None:
        code, user = form.cleaned_data["code"], self.begun.user
        wait = two_factor.refused_until(user, code)
        verified: Any = authenticate(self.request, username=user.get_username(), code=code)
        if verified is None:
            form.add_error("code", refusal_text(wait))
            return None
        finish(self.request, self.begun, verified.otp_device)
        if len(code) == two_factor.RECOVERY_DIGITS:
            two_factor.record_recovery_login(user)
            left = two_factor.codes_left(user)
            messages.warning(
                self.request,
                f"You used a recovery code; {left} {'is' if left == 1 else 'are'} left. "
                "Make others, or set up another app, under Two-factor.",
            )
        return redirect(self.begun.next)


class SetUpStep(SecondStep):
    """Let a user who must have a second factor, and has none, set one up."""

    form_class = AppCodeForm
    template = "admin/login_set_up.html"
    title = "Set up your second factor"
    button = "Set up and log in"

    def extra_context(self) -> dict[str, Any]:
        return set_up_context(self.request, self.begun.user)

    def accept(self, form: CodeForm) -> HttpResponse | None:
        return set_up(self.request, form, self.begun)


def set_up_context(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return the context of a page on which `user` sets up an app: the secret as a QR code and as text."""
    secret = request.session.setdefault(SECRET, two_factor.make_secret())
    return {"qr_code": two_factor.qr_code(user, secret), "secret": two_factor.grouped_secret(secret)}


def set_up(request: HttpRequest, form: CodeForm, begun: Pending) -> HttpResponse | None:
    """Set up the app with the secret of this session, log the user in, and redirect to their recovery codes.

    Return None if the code is wrong; `form` then holds the error.
    """
    try:
        device, codes = two_factor.enrol(
            begun.user, request.session.get(SECRET, ""), form.cleaned_data["code"]
        )
    except ValidationError as wrong:
        form.add_error("code", wrong)
        return None
    finish(request, begun, device)
    return show_codes(request, codes, begun.next)


def refusal_text(wait: Any) -> str:
    """Return why a code was refused. `wait` is the moment until which codes are refused; None if the code is wrong."""
    if wait is None:
        return (
            "This code is wrong, or was used before. Give the one that the app shows now, or a recovery code."
        )
    return f"Too many wrong codes. Wait until {moment(wait)}, then give the code that the app shows."
