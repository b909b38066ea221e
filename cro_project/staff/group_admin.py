"""The screens of groups. Superusers can add groups to those that every CRO has."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from cro_project.staff.groups import DESCRIPTIONS
from participants import audit
from participants.admin_base.reasons import actor, reason_field
from participants.admin_base.scalable import ScalableAdmin


class GroupForm(forms.ModelForm[Group]):
    reason = reason_field()

    class Meta:
        model = Group
        fields = ["name", "permissions"]


class StaffGroupAdmin(ScalableAdmin, GroupAdmin):
    about_participants = False
    form = GroupForm
    list_display = ["name", "what_for", "members"]
    search_fields = ["name__startswith"]
    search_help_text = "What a name starts with"
    ordering = ("name",)
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).annotate(member_count=Count("user", distinct=True))

    @admin.display(description="what its members may do")
    def what_for(self, group: Group) -> str:
        return DESCRIPTIONS.get(group.name, "as its permissions say")

    @admin.display(description="members")
    def members(self, group: Any) -> int:
        return int(group.member_count)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether a superuser may change the group. Not those of every CRO: each `migrate` resets them."""
        return bool(request.user.is_superuser) and (obj is None or obj.name not in DESCRIPTIONS)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        may_save = self.has_change_permission(request, obj)
        return ["name", "permissions", *(["reason"] if may_save else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Return the name too: it never changes, since the audit trail uses it."""
        return ["name"] if obj else []

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        permissions = form.cleaned_data["permissions"]
        with transaction.atomic():
            before = {"permissions": _names(obj.permissions.all())} if change else None
            obj.save()
            obj.permissions.set(permissions)
            after = {"permissions": _names(permissions)}
            if after != before:
                audit.record(
                    actor(request),
                    "changed group" if change else "added group",
                    f"group {obj.name}",
                    before=before,
                    after=after,
                    reason=form.cleaned_data["reason"],
                    about=obj,
                )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save nothing: permissions were saved with the group."""


def _names(permissions: QuerySet[Permission]) -> str:
    return ", ".join(sorted(permission.name for permission in permissions))
