"""The screens of staff accounts. Superusers change them, auditors view them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.contrib.postgres.expressions import ArraySubquery
from django.core.exceptions import PermissionDenied
from django.db.models import BigIntegerField, Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Cast, Concat
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_totp.models import TOTPDevice
from guardian.models import UserObjectPermission

from common import clock
from common.display import PLACEHOLDER
from common.retry import retried
from cro_project.staff import accounts
from cro_project.staff.account_pages import (
    acting_user,
    invite,
    is_own,
    reason_page,
    reset_second_factor,
    show_invitation,
    to_own_page,
)
from cro_project.staff.forms import NewUserForm, PasswordForm, UserForm
from cro_project.staff.groups import OURS
from participants.admin_base.html import moment
from participants.admin_base.pages import Page, may_change
from participants.admin_base.reasons import FORM_PAGES, ReasonedAdmin
from participants.admin_base.scalable import ScalableAdmin
from participants.models import Participant
from participants.scope import ACTS, ACTS_FOR_EVERY, SEES, SEES_EVERY, seen_by

MAX_NAMED = 3
"""How many participants of an account the list names. It counts the others."""


class SecondFactorFilter(admin.SimpleListFilter):
    title = "second factor"
    parameter_name = "second_factor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", "Set up"), ("no", "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(enrolled_at__isnull=self.value() == "no")


class StaffAdmin(ReasonedAdmin, ScalableAdmin, UserAdmin[User]):
    about_participants = False
    form = UserForm
    add_form = NewUserForm
    add_form_template = None
    change_form_template = "admin/staff_form.html"
    pages = (
        *FORM_PAGES,
        Page("<path:object_id>/second_factor/", "second_factor", reset_second_factor, may=may_change),
        Page("<path:object_id>/invitation/", "invitation", invite, may=may_change),
    )
    list_display = [
        "username",
        "full_name",
        "in_groups",
        "limited_to",
        "is_active",
        "last_log_in",
        "second_factor",
    ]
    export_display = (
        "username",
        "full_name",
        "in_groups",
        "limited_to",
        "is_active",
        ("Last log-in", "last_login"),
        ("Second factor since", "enrolled_at"),
    )
    list_filter = ["is_active", "is_superuser", "groups", SecondFactorFilter]
    search_fields = [
        "username__startswith",
        "first_name__startswith",
        "last_name__startswith",
        "email__startswith",
    ]
    search_help_text = "What a user name, a name or an e-mail address starts with"
    ordering = ("username",)
    filter_horizontal = ()
    actions = None

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return ["username", "last_log_in"]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Return the accounts with all that the list shows of each, in one query."""
        app_of_user = TOTPDevice.objects.filter(user=OuterRef("pk"), confirmed=True).order_by("id")
        in_groups = Group.objects.filter(user=OuterRef("pk")).order_by("name")
        accounts = super().get_queryset(request)
        return accounts.annotate(
            group_names=ArraySubquery(in_groups.values("name")),
            sees_every=_holds(SEES_EVERY),
            acts_for_every=_holds(ACTS_FOR_EVERY),
            acts_for_names=ArraySubquery(_participants_with(ACTS)),
            sees_names=ArraySubquery(_participants_with(SEES)),
            enrolled_at=Subquery(app_of_user.values("created_at")[:1]),
        )

    @admin.display(description="name")
    def full_name(self, user: User) -> str:
        return user.get_full_name() or PLACEHOLDER

    @admin.display(description="groups")
    def in_groups(self, user: Any) -> str:
        return ", ".join((["superuser"] if user.is_superuser else []) + user.group_names) or PLACEHOLDER

    @admin.display(description="for whom")
    def limited_to(self, user: Any) -> str:
        if user.is_superuser or user.acts_for_every:
            return "every participant"
        sees = "every participant" if user.sees_every else _in_short(user.sees_names)
        parts = [
            f"{verb} {names}"
            for verb, names in (("acts for", _in_short(user.acts_for_names)), ("sees", sees))
            if names
        ]
        return "; ".join(parts) or "no participant"

    @admin.display(description="acts for")
    def acts_for_in_words(self, user: Any) -> str:
        return ", ".join(user.acts_for_names) or PLACEHOLDER

    @admin.display(description="sees")
    def sees_in_words(self, user: Any) -> str:
        return ", ".join(user.sees_names) or PLACEHOLDER

    @admin.display(description="last log-in", ordering="last_login")
    def last_log_in(self, user: User) -> str:
        return moment(user.last_login)

    @admin.display(description="second factor")
    def second_factor(self, user: Any) -> str:
        return f"since {moment(user.enrolled_at)}" if user.enrolled_at else "none"

    @admin.display(description="added")
    def added(self, user: User) -> str:
        return moment(user.date_joined)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: accounts are deactivated, so that audit entries keep their actor."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        changes = self.has_change_permission(request, obj)
        person = ["first_name", "last_name", "email"]
        has_further = changes and obj is not None and obj.user_permissions.exists()
        rights = ["is_active", "is_superuser", "groups", *(["further"] if has_further else [])]
        rights += ["acts_for", "sees"] if changes else _SCOPE_IN_WORDS
        reason = [(None, {"fields": ["reason"]})] if changes else []
        if obj is None:
            return [
                (None, {"fields": ["username", *person]}),
                ("What they may do", {"fields": rights}),
                *reason,
            ]
        return [
            (None, {"fields": ["username", *person, "last_log_in", "second_factor", "added"]}),
            ("What they may do", {"fields": rights}),
            *reason,
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return the user name too: it never changes, since the audit trail uses it."""
        return ["username", "last_log_in", "second_factor", "added", *_SCOPE_IN_WORDS] if obj else []

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"actor": acting_user(request)})

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        data = form.cleaned_data
        accounts.save(
            obj,
            groups=data["groups"],
            acts_for=data["acts_for"],
            sees=data["sees"],
            actor=form.actor,
            reason=data["reason"],
            further=data["further"] if change else None,
        )
        if not change:
            token = accounts.invite(obj, actor=form.actor, reason=data["reason"], now=clock.now())
            show_invitation(request, obj, token)
        _warn_of_empty_scope(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing: groups were saved with the account."""

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        return ScalableAdmin.response_add(self, request, obj, post_url_continue)

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self._changeable(request, id)
        if is_own(request, user):
            return to_own_page(request, "password_change", "You change your own password here.")
        form = PasswordForm(request.POST or None, user=user)

        def save(reason: str) -> None:
            password, actor = form.cleaned_data["password1"], acting_user(request)
            retried(lambda: accounts.set_password(user, password, actor=actor, reason=reason))
            messages.success(request, f"The password of {user.get_username()} is set; they are logged out.")

        return reason_page(self, request, user, form, f"Set the password of {user.get_username()}", save)

    def _changeable(self, request: HttpRequest, key: str) -> User:
        user: User = self.row_or_404(request, key)
        if not self.has_change_permission(request, user):
            raise PermissionDenied
        return user


_SCOPE_IN_WORDS = ["acts_for_in_words", "sees_in_words"]


def _warn_of_empty_scope(request: HttpRequest, user: User) -> None:
    """Warn if the saved account may view tables of ours, but has no participant in its scope."""
    saved = User.objects.get(pk=user.pk)
    scope = seen_by(saved)
    may_view = any(saved.has_module_perms(app) for app in OURS)
    if may_view and not (scope.everyone or scope.ids):
        messages.warning(
            request,
            f"The account {saved.get_username()} finds nothing yet: choose its participants under “Acts for” or "
            "“Sees”.",
        )


def _superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)


def _holds(permission: str) -> Exists:
    """Return the condition that the account of the outer query has `permission`, itself or by a group."""
    app, codename = permission.split(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename)
    return Exists(found.filter(Q(group__user=OuterRef("pk")) | Q(user=OuterRef("pk"))))


def _participants_with(codename: str) -> QuerySet[Any, Any]:
    """Return the participants on which the account of the outer query has `codename`, such as `AGR agr.example`."""
    keys = UserObjectPermission.objects.filter(
        user=OuterRef(OuterRef("pk")),
        permission__content_type__app_label="participants",
        permission__codename=codename,
    ).values(key=Cast("object_pk", BigIntegerField()))
    return (
        Participant.objects.filter(pk__in=keys)
        .order_by("role", "domain")
        .values(named=Concat("role", Value(" "), "domain"))
    )


def _in_short(names: list[str]) -> str:
    more = len(names) - MAX_NAMED
    named = ", ".join(names[:MAX_NAMED])
    return f"{named} and {more} more" if more > 0 else named
