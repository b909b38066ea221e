"""How staff log in: the password first, then a code, or the setting up of a second factor where one is required.

Between the two steps nobody is logged in: the session only remembers for ten minutes whose password was right.
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
TIME_FOR_CODE = timedelta(minutes=10)


@dataclass(frozen=True)
class Pending:
    """A log-in of which the password was right: whose it is, and the page to show after it."""

    user: User
    backend: str
    next: str


def begin(request: HttpRequest, user: User, after: str) -> None:
    """Remember in a session of its own that the password of `user` was right, and the URL `after` the log-in."""
    backend: str = user.backend
    request.session.flush()
    request.session[PENDING] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "backend": backend,
        "next": after,
        "until": (clock.now() + TIME_FOR_CODE).timestamp(),
    }


def pending(request: HttpRequest) -> Pending | None:
    """Return the log-in that has begun in this session; None if there is none, or it has expired."""
    kept = request.session.get(PENDING)
    if not kept or clock.now().timestamp() > kept["until"]:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True, is_staff=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), kept["password"]):
        return None
    return Pending(user, kept["backend"], kept["next"])


def finish(request: HttpRequest, begun: Pending, device: Any) -> None:
    """Log in whose log-in has `begun`, verified by `device`."""
    request.session.pop(PENDING, None)
    request.session.pop(SECRET, None)
    begun.user.otp_device = device  # type: ignore[attr-defined]
    open_session(request, begun.user, begun.backend)


def open_session(request: HttpRequest, user: User, backend: str) -> None:
    """Log `user` in under another session key, though they be logged in already."""
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
    """Asks for the code that an app shows which is being set up."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["code"].help_text = "The 6 digits that the app shows"


class PasswordStep(LoginView):
    """The first step, and the only one for those who need no second factor."""

    next_page = "admin:index"
    authentication_form = AdminAuthenticationForm
    template_name = "admin/login.html"

    def form_valid(self, form: Any) -> Any:
        user = form.get_user()
        if two_factor.suffices(user):
            return super().form_valid(form)
        begin(self.request, user, self.get_success_url())
        return redirect("admin:login_code" if two_factor.is_enrolled(user) else "admin:login_set_up")


@method_decorator([sensitive_post_parameters(), csrf_protect, never_cache], name="dispatch")
class SecondStep(View):
    """What the two kinds of a second step share: they need a log-in that has begun, and show one form."""

    form_class: type[CodeForm]
    template = ""
    title = ""
    button = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        begun = pending(request)
        if begun is None or two_factor.suffices(begun.user):
            messages.warning(request, "Give your password again: the log-in took too long, or has ended.")
            return redirect("admin:login")
        self.begun = begun
        if two_factor.is_enrolled(begun.user) != (self.form_class is CodeForm):
            return redirect("admin:login_set_up" if self.form_class is CodeForm else "admin:login_code")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(self.form_class())

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST)
        return (self.accept(form) if form.is_valid() else None) or self.show(form)

    def accept(self, form: CodeForm) -> HttpResponse | None:
        """Where the code is right, the page after it; else None, and the form says why."""
        raise NotImplementedError

    def more(self) -> dict[str, Any]:
        """Return what the template needs besides the form."""
        return {}

    def show(self, form: CodeForm) -> HttpResponse:
        context = {
            **admin.site.each_context(self.request),
            "title": self.title,
            "form": form,
            "button": self.button,
            "who": self.begun.user.get_username(),
            **self.more(),
        }
        return TemplateResponse(self.request, self.template, context)


class CodeStep(SecondStep):
    """The second step of those who are enrolled: a code from the app, or a recovery code."""

    form_class = CodeForm
    template = "admin/login_code.html"
    title = "Second step"
    button = "Log in"

    def accept(self, form: CodeForm) -> HttpResponse | None:
        code, user = form.cleaned_data["code"], self.begun.user
        wait = two_factor.waits_until(user, code)
        verified: Any = authenticate(self.request, username=user.get_username(), code=code)
        if verified is None:
            form.add_error("code", refusal(wait))
            return None
        finish(self.request, self.begun, verified.otp_device)
        if len(code) == two_factor.RECOVERY_DIGITS:
            two_factor.note_recovery(user)
            left = two_factor.codes_left(user)
            messages.warning(
                self.request,
                f"You used a recovery code; {left} {'is' if left == 1 else 'are'} left. "
                "Make others, or set up another app, under Two-factor.",
            )
        return redirect(self.begun.next)


class SetUpStep(SecondStep):
    """The second step of those who must have a second factor and have none: they set one up."""

    form_class = AppCodeForm
    template = "admin/login_set_up.html"
    title = "Set up your second factor"
    button = "Set up and log in"

    def more(self) -> dict[str, Any]:
        return to_set_up(self.request, self.begun.user)

    def accept(self, form: CodeForm) -> HttpResponse | None:
        return set_up(self.request, form, self.begun)


def to_set_up(request: HttpRequest, user: User) -> dict[str, Any]:
    """Return what the page needs on which `user` sets up an app: the secret as a QR code and as text."""
    secret = request.session.setdefault(SECRET, two_factor.make_secret())
    return {"picture": two_factor.picture(user, secret), "secret": two_factor.secret_to_type(secret)}


def set_up(request: HttpRequest, form: CodeForm, begun: Pending) -> HttpResponse | None:
    """Enrol whose log-in has `begun` with the secret of this session, log them in, and lead to their recovery codes.

    None where the code is wrong; the form says so.
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


def refusal(wait: Any) -> str:
    """Why a code was refused that came before `wait`, or with no need to wait."""
    if wait is None:
        return (
            "This code is wrong, or was used before. Give the one that the app shows now, or a recovery code."
        )
    return f"Too many wrong codes. Wait until {moment(wait)}, then give the code that the app shows."
