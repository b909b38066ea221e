"""Staff accounts: what they may do, for which participants, and who made them so. Accounts are never deleted."""

from collections.abc import Collection, Iterable
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.views.decorators.debug import sensitive_variables
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from cro_project.login import two_factor
from participants import audit
from participants.models import Participant
from participants.scope import ACTS, SEES


def given(user: User, codename: str) -> list[Participant]:
    """Return the participants on which `user` itself has the permission `codename` (ACTS or SEES), in order."""
    if user.pk is None:
        return []
    keys = UserObjectPermission.objects.filter(
        user=user, permission__content_type__app_label="participants", permission__codename=codename
    ).values_list("object_pk", flat=True)
    return list(Participant.objects.filter(pk__in=[int(key) for key in keys]).order_by("role", "domain"))


def check(user: User, *, by: User) -> None:
    """Raise ValidationError where `by` would shut themselves, or everybody, out by saving `user` as it is."""
    stays = user.is_active and user.is_superuser
    if user.pk == by.pk and not stays:
        raise ValidationError(
            "You cannot deactivate your own account, nor stop being a superuser; ask another superuser."
        )
    others = User.objects.filter(is_active=True, is_superuser=True).exclude(pk=user.pk)
    if not stays and not others.exists():
        raise ValidationError("Somebody must remain a superuser; make another one first.")


@sensitive_variables("password")
def save(
    user: User,
    *,
    groups: Collection[Group],
    acts_for: Collection[Participant],
    sees: Collection[Participant],
    by: User,
    reason: str,
    password: str | None = None,
    further: Collection[Permission] | None = None,
) -> None:
    """Make the account `user`, or change it to what `user` is here; with `password`, which a new one needs.

    They are in `groups`, and where these are limited, act for `acts_for` and see `sees` as well. `further` are the
    permissions that the account has by itself; None: those it has. A user who is
    deactivated is logged out. The audit entry names all participants of the account, so that it is an entry about none
    of them: staff who are limited do not read it. Raises ValidationError: no reason given, and what `check` refuses.
    """
    _require(reason)
    check(user, by=by)
    with transaction.atomic():
        new = user.pk is None
        before = {} if new else _described(User.objects.select_for_update(no_key=True).get(pk=user.pk))
        user.is_staff = True
        if password is not None:
            user.set_password(password)
        user.save()
        user.groups.set(groups)
        if further is not None:
            user.user_permissions.set(further)
        _give(user, ACTS, set(acts_for))
        _give(user, SEES, set(sees) - set(acts_for))
        after = _described(user)
        changed = [name for name in after if after[name] != before.get(name, "")]
        if changed:
            audit.record(
                by.get_username(),
                "added user" if new else "changed user",
                two_factor.subject(user),
                before=None if new else {name: before[name] for name in changed},
                after={name: after[name] for name in changed},
                reason=reason.strip(),
                about=user,
            )
    if not user.is_active:
        two_factor.end_sessions(user)


@sensitive_variables("password")
def set_password(user: User, password: str, *, by: User, reason: str) -> None:
    """Give `user` a password, which ends their sessions. Raises ValidationError where there is no reason."""
    _require(reason)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record(
            by.get_username(), "set password", two_factor.subject(user), reason=reason.strip(), about=user
        )


def _require(reason: str) -> None:
    if not reason.strip():
        raise ValidationError("Say why: this is recorded with its reason.")


def _give(user: User, codename: str, wanted: set[Participant]) -> None:
    """Let `user` alone have the permission `codename` on the `wanted` participants and on no others."""
    permission = f"participants.{codename}"
    has = set(given(user, codename))
    for participant in wanted - has:
        assign_perm(permission, user, participant)
    for participant in has - wanted:
        remove_perm(permission, user, participant)


def _described(user: User) -> dict[str, Any]:
    """Return an account's values for the audit trail."""
    return {
        "name": user.get_full_name(),
        "e-mail": user.email,
        "active": user.is_active,
        "superuser": user.is_superuser,
        "groups": _names(user.groups.order_by("name")),
        "further permissions": _names(user.user_permissions.order_by("name").values_list("name", flat=True)),
        "acts for": _names(given(user, ACTS)),
        "sees": _names(given(user, SEES)),
    }


def _names(rows: Iterable[object]) -> str:
    return ", ".join(str(row) for row in rows)
