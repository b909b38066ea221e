"""An admin site that opens to those who have given what their log-in needs."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import logout
from django.http import HttpRequest
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from cro_project.login import two_factor, two_factor_views
from cro_project.login.views import CodeStep, PasswordStep, SetUpStep
from participants import audit


class GuardedSite(AdminSite):
    """Every page of it, but those of the log-in, asks `has_permission`, which asks for the second factor too."""

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and two_factor.suffices(request.user)

    def get_urls(self) -> list[Any]:
        return [
            path("login/code/", CodeStep.as_view(), name="login_code"),
            path("login/set_up/", SetUpStep.as_view(), name="login_set_up"),
            *two_factor_views.urls(self),
            *super().get_urls(),
        ]

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The first step; who may see the screens already is led there.

        A session that was opened before a second factor was required ends.
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
        """Whoever changes their own password is in the audit trail with it."""
        answer: Any = super().password_change(request, extra_context)
        user = request.user
        if request.method == "POST" and answer.status_code == 302 and user.is_authenticated:
            name = user.get_username()
            audit.note(name, "changed own password", f"user {name}", reason=two_factor.OWN, about=user)
        return answer
