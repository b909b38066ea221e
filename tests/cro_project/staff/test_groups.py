"""The groups of staff are there from the first migration on, with what each may do."""

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command

from cro_project.staff.groups import AUDITOR, GROUPS, OPERATOR, OURS, PARTICIPANT_MANAGER


def names_of(group: str) -> set[str]:
    found = Group.objects.get(name=group).permissions.select_related("content_type")
    return {f"{one.content_type.app_label}.{one.codename}" for one in found}


@pytest.mark.django_db
def test_each_group_has_what_it_is_to_have() -> None:
    looks = {
        f"{one.content_type.app_label}.{one.codename}"
        for one in Permission.objects.filter(
            content_type__app_label__in=OURS, codename__startswith="view_"
        ).select_related("content_type")
    }
    assert "registry.view_conflict" in looks
    for name, does in GROUPS.items():
        assert names_of(name) == looks | does, name


@pytest.mark.django_db
def test_an_auditor_changes_nothing() -> None:
    assert {name for name in names_of(AUDITOR) if ".view_" not in name} == {
        "participants.see_every_participant"
    }


@pytest.mark.django_db
def test_only_a_participant_manager_is_limited() -> None:
    assert names_of(OPERATOR) - names_of(PARTICIPANT_MANAGER) == {
        "participants.act_for_every_participant",
        "participants.see_every_participant",
        "participants.add_participant",
        "participants.change_mode",
        "registry.add_importrun",
        "registry.change_market",
        "registry.change_policy",
        "reservations.add_contract",
        "uftp.delete_unknownsender",
    }
    assert names_of(PARTICIPANT_MANAGER) < names_of(OPERATOR)


@pytest.mark.django_db
def test_a_migration_takes_back_what_was_added_and_keeps_the_members() -> None:
    auditors = Group.objects.get(name=AUDITOR)
    auditors.permissions.add(Permission.objects.get(codename="change_participant"))
    auditors.permissions.remove(Permission.objects.get(codename="view_conflict"))
    user = User.objects.create_user("lee")
    user.groups.add(auditors)

    call_command("migrate", verbosity=0)

    assert "participants.change_participant" not in names_of(AUDITOR)
    assert "registry.view_conflict" in names_of(AUDITOR)
    assert list(user.groups.all()) == [auditors]


@pytest.mark.django_db(transaction=True)
def test_an_emptied_database_has_them_again() -> None:
    call_command("flush", interactive=False, verbosity=0)

    assert set(GROUPS) <= set(Group.objects.values_list("name", flat=True))
    assert "registry.settle_conflict" in names_of(OPERATOR)
