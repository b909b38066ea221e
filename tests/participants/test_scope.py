"""For whom a member of staff may look and act."""

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.test import Client
from guardian.shortcuts import assign_perm

from participants import audit
from participants.models import AuditEntry, Participant
from participants.scope import NOBODY, acted_for_by, seen_by

pytestmark = pytest.mark.django_db


@pytest.fixture
def parties(db: None) -> list[Participant]:
    return [
        Participant.objects.create(role=role, domain=f"{name}.example")
        for role, name in (("AGR", "a"), ("AGR", "b"), ("DSO", "a"))
    ]


def staff(*permissions: str, name: str = "lee") -> User:
    user = User.objects.create_user(name, is_staff=True)
    for codename in permissions:
        user.user_permissions.add(Permission.objects.get(codename=codename))
    return user


def test_superusers_and_holders_of_the_permission_are_unlimited(parties: list[Participant]) -> None:
    for user in (User.objects.create_superuser("root"), staff("act_for_every_participant")):
        assert seen_by(user).everyone
        assert acted_for_by(user).everyone
        assert parties[0] in seen_by(user)
        assert None in seen_by(user)
        assert list(seen_by(user).restrict(Participant.objects.all(), "pk")) == parties


def test_who_looks_at_every_participant_acts_for_those_given(parties: list[Participant]) -> None:
    user = staff("see_every_participant")
    assign_perm("participants.change_participant", user, parties[0])

    assert seen_by(user).everyone
    assert not acted_for_by(user).everyone
    assert parties[0] in acted_for_by(user)
    assert parties[1] not in acted_for_by(user)


def test_a_model_permission_alone_gives_nobody(parties: list[Participant]) -> None:
    user = staff("view_participant", "change_participant")

    assert seen_by(user) == acted_for_by(user) == NOBODY
    assert parties[0] not in seen_by(user)
    assert not seen_by(user).restrict(Participant.objects.all(), "pk").exists()
    assert seen_by(user).domains() == []


def test_looking_and_acting_come_from_the_participant_s_own_permissions(parties: list[Participant]) -> None:
    user = staff()
    team = Group.objects.create(name="team")
    user.groups.add(team)
    assign_perm("participants.view_participant", user, parties[0])
    assign_perm("participants.change_participant", user, parties[2])
    assign_perm("participants.change_participant", team, parties[1])

    assert seen_by(user).ids == {parties[0].pk, parties[2].pk}
    assert acted_for_by(user).ids == {parties[2].pk}
    assert parties[1] not in seen_by(user)
    assert None not in seen_by(user)
    assert seen_by(user).domains() == [("AGR", "a.example"), ("DSO", "a.example")]


def test_rows_that_name_a_participant_are_told_apart_by_role(parties: list[Participant]) -> None:
    user = staff()
    assign_perm("participants.view_participant", user, parties[2])

    found = seen_by(user).restrict_named(Participant.objects.all(), "role", "domain")

    assert list(found) == [parties[2]]


def test_both_scopes_take_one_query(parties: list[Participant], django_assert_num_queries: object) -> None:
    user = staff("view_participant")
    user.has_perm("participants.view_participant")

    with django_assert_num_queries(1):  # type: ignore[operator]
        seen_by(user)
        acted_for_by(user)
        seen_by(user)


def test_strangers_and_those_who_left_see_nobody(parties: list[Participant]) -> None:
    left = User.objects.create_superuser("gone", is_active=False)
    assign_perm("participants.view_participant", left, parties[0])

    assert seen_by(AnonymousUser()) == seen_by(left) == NOBODY


def test_the_audit_trail_tells_whom_an_entry_is_about(parties: list[Participant], client: Client) -> None:
    user = staff("view_auditentry")
    assign_perm("participants.view_participant", user, parties[0])
    audit.record("kim", "tested", "about a", participants=[parties[0], parties[1].pk, parties[0]], about=None)
    audit.record("kim", "tested", "about b", participants=[parties[1]], about=None)
    audit.record("kim", "tested", "about nobody", about=None)
    client.force_login(user)

    page = client.get("/admin/participants/auditentry/").content.decode()

    assert AuditEntry.objects.get(subject="about a").participants == [parties[0].pk, parties[1].pk]
    assert "about a" in page
    assert "about b" not in page
    assert "about nobody" not in page
