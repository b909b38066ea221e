"""The scope of a member of staff: which participants they may see, and act for.

Permissions say what a member of staff may do; the scope says for whom. The permission
`participants.act_for_every_participant` lets them act for all participants, and
`participants.see_every_participant` lets them see all. For other staff, django-guardian has permissions of the user
(not of groups) on single participants: `participants.view_participant` to see one, `participants.change_participant`
to see it and act for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from django.db.models import Model, Q, QuerySet
from guardian.models import UserObjectPermission

from participants.models import Participant, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

M = TypeVar("M", bound=Model)

SEES_EVERY, ACTS_FOR_EVERY = "participants.see_every_participant", "participants.act_for_every_participant"
SEES, ACTS = "view_participant", "change_participant"
MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass(frozen=True, slots=True)
class Scope:
    """A set of participants.

    Attributes:
        everyone: Whether all participants are in it. Then `ids` and `roles` are empty.
        ids: Their primary keys.
        roles: The role of each, by primary key.
    """

    everyone: bool = False
    ids: frozenset[int] = frozenset()
    roles: Mapping[int, str] = field(default_factory=dict, compare=False)

    def __contains__(self, participant: Participant | int | None) -> bool:
        """Return whether the set has `participant`, a row or its primary key. Only `everyone` has None."""
        pk = participant.pk if isinstance(participant, Participant) else participant
        return self.everyone or pk in self.ids

    def restrict(self, rows: QuerySet[M], *paths: str) -> QuerySet[M]:
        """Return the rows that concern a participant of this set.

        Args:
            rows: The rows to filter. If the scope is everyone, they are returned unchanged.
            paths: Lookups from a row to its participant, such as `agr` or `congestion_point__dso`; `pk` for a
                participant itself.
        """
        if self.everyone:
            return rows
        wanted = Q()
        for path in paths:
            if ids := self._playing(path):
                wanted |= Q(**{f"{path}__in": ids})
        return rows.filter(wanted) if wanted else rows.none()

    def _playing(self, path: str) -> list[int]:
        """Return the primary keys with the role that `path` ends in (`agr`, `dso`); all of them for another path.

        One AGR instead of two participants lets PostgreSQL take the latest rows from an index.
        """
        role = path.rpartition("__")[2].upper()
        if role not in Role.values:
            return sorted(self.ids)
        return sorted(pk for pk in self.ids if self.roles.get(pk, role) == role)

    def restrict_named(self, rows: QuerySet[M], role: str, domain: str) -> QuerySet[M]:
        """Return the rows whose fields `role` and `domain` name a participant of this set. Makes one more query."""
        if self.everyone:
            return rows
        named: dict[str, list[str]] = {}
        for its_role, its_domain in self.domains():
            named.setdefault(its_role, []).append(its_domain)
        if not named:
            return rows.none()
        wanted = Q()
        for its_role, domains in named.items():
            wanted |= Q(**{role: its_role, f"{domain}__in": domains})
        return rows.filter(wanted)

    def domains(self) -> list[tuple[str, str]]:
        """Return (role, domain) of each, in that order. Makes one query."""
        of_these = self.restrict(Participant.objects.all(), "pk")
        return list(of_these.order_by("role", "domain").values_list("role", "domain"))


NOBODY = Scope()
EVERYONE = Scope(everyone=True)


def seen_by(user: User | AnonymousUser) -> Scope:
    """Return the participants that `user` may look at. Makes two queries; the result is cached on `user`."""
    return _scopes(user)[0]


def acted_for_by(user: User | AnonymousUser) -> Scope:
    """Return the participants that `user` may act for, all of which `user` may also look at. Cached on `user`."""
    return _scopes(user)[1]


def who_see_any(participants: Iterable[int]) -> QuerySet[User]:
    """Return the active staff who may look at one of `participants`, given by primary key; one query."""
    from django.contrib.auth.models import User

    given = UserObjectPermission.objects.filter(
        permission__content_type__app_label="participants",
        permission__codename__in=[SEES, ACTS],
        object_pk__in=[str(pk) for pk in participants],
    )
    sees = Q(pk__in=given.values("user"))
    for permission in (SEES_EVERY, ACTS_FOR_EVERY):
        sees |= Q(pk__in=User.objects.with_perm(permission, backend=MODEL_BACKEND).values("pk"))
    return User.objects.filter(sees, is_active=True, is_staff=True)


def _scopes(user: User | AnonymousUser) -> tuple[Scope, Scope]:
    kept: tuple[Scope, Scope] | None = getattr(user, "_participants_scopes", None)
    if kept is None:
        kept = _read(user)
        user._participants_scopes = kept  # type: ignore[union-attr]
    return kept


def _read(user: User | AnonymousUser) -> tuple[Scope, Scope]:
    if not user.is_active or user.pk is None:
        return NOBODY, NOBODY
    if user.has_perm(ACTS_FOR_EVERY):
        return EVERYONE, EVERYONE
    given = UserObjectPermission.objects.filter(
        user=user,
        permission__content_type__app_label="participants",
        permission__codename__in=[SEES, ACTS],
    )
    rows = list(given.values_list("permission__codename", "object_pk"))
    acts = frozenset(int(pk) for codename, pk in rows if codename == ACTS)
    sees = frozenset(int(pk) for _, pk in rows)
    roles = dict(Participant.objects.filter(pk__in=sees).values_list("pk", "role")) if sees else {}
    acted_for = Scope(ids=acts, roles=roles)
    return EVERYONE if user.has_perm(SEES_EVERY) else Scope(ids=sees, roles=roles), acted_for
