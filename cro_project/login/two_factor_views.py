"""The pages on which users manage their own second factor. Each change asks for the password."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import BACKEND_SESSION_KEY, authenticate
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import View

from cro_project.login import recovery_codes, two_factor
from cro_project.login.views import AppCodeForm, Pending, open_session, set_up, set_up_context
from participants.admin_base.html import moment


class PasswordForm(forms.Form):
    """Ask for the user's own password. A wrong one counts as a failed log-in."""

    password = forms.CharField(
        label="Your password",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        name = self.request.user.get_username()
        if authenticate(self.request, username=name, password=password) is None:
            raise forms.ValidationError("This is not your password.")
        return password


class SetUpForm(AppCodeForm, PasswordForm):
    """The password, and a code that proves that the app holds the secret."""

    field_order = ["code", "password"]


@method_decorator(sensitive_post_parameters(), name="dispatch")
class OwnSecondFactorPage(View):
    """A page about the user's own second factor, with a form that changes it."""

    form_class: type[Any] = PasswordForm
    template = "admin/two_factor_form.html"
    title = ""
    intro = ""
    button = ""

    @property
    def trail(self) -> list[tuple[str, str]]:
        """Return the pages above this one: URL and title."""
        return [(reverse("admin:two_factor"), Overview.title)]

    @cached_property
    def user(self) -> User:
        """Return the user, read from the database."""
        return User.objects.get(username=self.request.user.get_username())

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render(self.form_class(request=request))

    def post(self, request: HttpRequest) -> HttpResponse:
        form = self.form_class(request.POST, request=request)
        return (self.change(form) if form.is_valid() else None) or self.render(form)

    def change(self, form: Any) -> HttpResponse | None:
        """Make the change and redirect. Return None if it is not possible; the form then holds the error."""
        raise NotImplementedError

    def extra_context(self) -> dict[str, Any]:
        """Return what the template needs besides the form."""
        return {}

    def render(self, form: Any = None) -> HttpResponse:
        context = {
            **admin.site.each_context(self.request),
            "title": self.title,
            "trail": self.trail,
            "errors": form is not None and form.errors,
            "intro": self.intro,
            "button": self.button,
            "form": form,
            **self.extra_context(),
        }
        return TemplateResponse(self.request, self.template, context)


class Overview(OwnSecondFactorPage):
    """Show whether the user has a second factor, since when, and what they can change."""

    http_method_names = ["get", "head", "options"]
    template = "admin/two_factor.html"
    title = "Two-factor log-in"
    trail: Any = ()

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.render()

    def extra_context(self) -> dict[str, Any]:
        since = two_factor.enrolled_since(self.user)
        return {
            "enrolled": since is not None,
            "since": moment(since),
            "codes_left": two_factor.codes_left(self.user),
            "codes_made": two_factor.RECOVERY_CODES,
            "required": settings.TWO_FACTOR_REQUIRED,
        }


class SetUp(OwnSecondFactorPage):
    form_class = SetUpForm
    template = "admin/two_factor_set_up.html"
    title = "Set up an app"
    button = "Set up"

    def extra_context(self) -> dict[str, Any]:
        return {**set_up_context(self.request, self.user), "enrolled": two_factor.is_enrolled(self.user)}

    def change(self, form: Any) -> HttpResponse | None:
        backend = self.request.session[BACKEND_SESSION_KEY]
        return set_up(self.request, form, Pending(self.user, backend, reverse("admin:two_factor")))


class Codes(OwnSecondFactorPage):
    """Show recovery codes once. After that, say that they were shown, until the user confirms that they are stored."""

    template = "admin/two_factor_codes.html"
    title = "Your recovery codes"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not recovery_codes.has_pending_codes(request):
            return redirect("admin:two_factor")
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        response = self.render()
        recovery_codes.delete_cookie(response)
        return response

    def post(self, request: HttpRequest) -> HttpResponse:
        return redirect(recovery_codes.confirm_stored(request))

    def extra_context(self) -> dict[str, Any]:
        return {"codes": recovery_codes.pop_codes(self.request)}


class EnrolledPage(OwnSecondFactorPage):
    """A page for users who have a second factor."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not two_factor.is_enrolled(request.user):
            return redirect("admin:two_factor")
        return super().dispatch(request, *args, **kwargs)


class RenewCodes(EnrolledPage):
    title = "Make recovery codes"
    intro = "You get ten recovery codes. Your present recovery codes stop working."
    button = "Make recovery codes"

    def change(self, form: Any) -> HttpResponse | None:
        return recovery_codes.show_codes(
            self.request, two_factor.renew_codes(self.user), reverse("admin:two_factor")
        )


class TurnOff(EnrolledPage):
    title = "Turn off two-factor log-in"
    intro = (
        "You then log in with your password alone. Your app and your recovery codes stop working, and you are "
        "logged out everywhere else."
    )
    button = "Turn off"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if settings.TWO_FACTOR_REQUIRED:
            raise PermissionDenied("This CRO requires a second factor, so you cannot turn yours off.")
        return super().dispatch(request, *args, **kwargs)

    def change(self, form: Any) -> HttpResponse | None:
        user, backend = self.user, self.request.session[BACKEND_SESSION_KEY]
        two_factor.turn_off(user, actor=user.get_username())
        open_session(self.request, user, backend)
        messages.success(self.request, "Two-factor log-in is turned off.")
        return redirect("admin:two_factor")


def urls(site: admin.AdminSite) -> list[Any]:
    """Return the routes of these pages, protected by `site`."""
    return [
        path(route, site.admin_view(view.as_view()), name=name)
        for route, view, name in (
            ("two_factor/", Overview, "two_factor"),
            ("two_factor/set_up/", SetUp, "two_factor_set_up"),
            ("two_factor/codes/", Codes, "two_factor_codes"),
            ("two_factor/renew_codes/", RenewCodes, "two_factor_renew_codes"),
            ("two_factor/turn_off/", TurnOff, "two_factor_turn_off"),
        )
    ]
