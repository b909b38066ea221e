"""Make and change staff accounts: what they may do, and for which participants. Accounts are never deleted."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.views.decorators.debug import sensitive_variables
from guardian.models import UserObjectPermission
from guardian.shortcuts import assign_perm, remove_perm

from cro_project.login import invitations, two_factor
from participants import audit
from participants.models import Participant
from participants.scope import ACTS, SEES


def participants_with(user: User, codename: str) -> list[Participant]:
    """Return the participants on which `user` has the permission `codename` (ACTS or SEES), by role and domain."""
    if user.pk is None:
        return []
    keys = UserObjectPermission.objects.filter(
        user=user, permission__content_type__app_label="participants", permission__codename=codename
    ).values_list("object_pk", flat=True)
    return list(Participant.objects.filter(pk__in=[int(key) for key in keys]).order_by("role", "domain"))


def check(user: User, *, actor: User) -> None:
    """Check that the superuser `actor` may save `user` with its present values.

    Raises:
        ValidationError: `actor` would take their own access away, or no active superuser would be left.
    """
    stays = user.is_active and user.is_superuser
    if user.pk == actor.pk and not stays:
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
    actor: User,
    reason: str,
    password: str | None = None,
    further: Collection[Permission] | None = None,
) -> None:
    """Add or change an account: store the values of `user`, and an audit entry.

    A user who is no longer active is logged out. Limited staff do not see the audit entry: its values name all
    participants of the account, so it is recorded as an entry about none of them.

    Args:
        user: The account with its new values.
        groups: The groups of the account.
        acts_for: The participants that a limited account acts for, and sees.
        sees: The participants that a limited account only sees.
        actor: The superuser who makes the change.
        reason: Why, for the audit trail.
        password: A new password. A new account without one cannot log in until its invitation is accepted.
        further: The permissions that the account has beside its groups; None leaves them unchanged.

    Raises:
        ValidationError: There is no reason, or `check` refuses the values.
    """
    _require(reason)
    check(user, actor=actor)
    with transaction.atomic():
        new = user.pk is None
        before = {} if new else _audited_values(User.objects.select_for_update(no_key=True).get(pk=user.pk))
        user.is_staff = True
        if password is not None:
            user.set_password(password)
        elif new:
            user.set_unusable_password()
        user.save()
        user.groups.set(groups)
        if further is not None:
            user.user_permissions.set(further)
        _set_permission(user, ACTS, set(acts_for))
        _set_permission(user, SEES, set(sees) - set(acts_for))
        after = _audited_values(user)
        changed = [name for name in after if after[name] != before.get(name, "")]
        if changed:
            audit.record(
                actor.get_username(),
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
def set_password(user: User, password: str, *, actor: User, reason: str) -> None:
    """Set the password of `user`, which ends their sessions and invitation. Raise ValidationError without a reason."""
    _require(reason)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        invitations.end(user)
        audit.record(
            actor.get_username(), "set password", two_factor.subject(user), reason=reason.strip(), about=user
        )


def invite(user: User, *, actor: User, reason: str, now: datetime) -> str:
    """Make a link by which `user` sets a password, and return its token.

    Raises:
        ValidationError: There is no reason.
    """
    _require(reason)
    with transaction.atomic():
        token = invitations.make(user, now=now)
        audit.record(
            actor.get_username(), "invited user", two_factor.subject(user), reason=reason.strip(), about=user
        )
    return token


def _require(reason: str) -> None:
    if not reason.strip():
        raise ValidationError("Say why: this is recorded with its reason.")


def _set_permission(user: User, codename: str, wanted: set[Participant]) -> None:
    """Give `user` the permission `codename` on the `wanted` participants, and take it away on all others."""
    permission = f"participants.{codename}"
    has = set(participants_with(user, codename))
    for participant in wanted - has:
        assign_perm(permission, user, participant)
    for participant in has - wanted:
        remove_perm(permission, user, participant)


def _audited_values(user: User) -> dict[str, Any]:
    """Return an account's values for the audit trail."""
    return {
        "name": user.get_full_name(),
        "e-mail": user.email,
        "active": user.is_active,
        "superuser": user.is_superuser,
        "groups": _names(user.groups.order_by("name")),
        "further permissions": _names(user.user_permissions.order_by("name").values_list("name", flat=True)),
        "acts for": _names(participants_with(user, ACTS)),
        "sees": _names(participants_with(user, SEES)),
    }


def _names(rows: Iterable[object]) -> str:
    return ", ".join(str(row) for row in rows)
