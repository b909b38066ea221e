"""An admin site that requires a complete log-in, with the second factor where one is needed."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import logout
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from cro_project.login import invitations, two_factor, two_factor_views
from cro_project.login.views import CodeStep, PasswordStep, SetUpStep
from participants import audit


class GuardedSite(AdminSite):
    """Check `has_permission`, which includes the second factor, on every page but those of the log-in."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and two_factor.is_sufficient(request.user)

    def get_urls(self) -> list[Any]:
        return [
            path("login/code/", CodeStep.as_view(), name="login_code"),
            path("login/set_up/", SetUpStep.as_view(), name="login_set_up"),
            *two_factor_views.urls(self),
            *invitations.urls(),
            *super().get_urls(),
        ]

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the first step of the log-in. Redirect a member of staff who is logged in already.

        End a session that was opened before a second factor was required.
        """
        if request.method == "GET" and self.has_permission(request):
            return redirect("admin:index")
        if super().has_permission(request) and not self.has_permission(request):
            logout(request)
            messages.warning(request, "Log in again: your log-in needs a second step.")
        context = {
            **self.each_context(request),
            "title": "Log in",
            "subtitle": None,
            "app_path": request.get_full_path(),
            "username": request.user.get_username(),
            **(extra_context or {}),
        }
        if "next" not in request.GET and "next" not in request.POST:
            context["next"] = reverse("admin:index")
        return PasswordStep.as_view(extra_context=context)(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Let a user change their own password, with an audit entry."""
        response: Any = super().password_change(
            request, {"title": "Change password", **(extra_context or {})}
        )
        user = request.user
        if request.method == "POST" and response.status_code == 302 and user.is_authenticated:
            name = user.get_username()
            invitations.end(user)
            audit.record(
                name, "changed own password", f"user {name}", reason=two_factor.OWN_ACCOUNT, about=user
            )
        return response
