"""Three parties and four members of staff, made once for a module."""

import gzip
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.timezone import now
from pytest_django.plugin import DjangoDbBlocker

from registry.models import ImportFile, ImportRun, Market, Policy, PolicySetting
from tests.staff_site import parties
from tests.staff_site.expected import (
    OPERATOR,
    OWN,
    SEEN,
    STRANGER,
)
from tests.staff_site.walking import WHOSE, World
from uftp.models import UnknownSender


@pytest.fixture(scope="module")
def made(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """The three parties and four members of staff, gone after this module."""
    with django_db_blocker.unblock():
        whole = transaction.atomic()
        whole._from_testcase = True
        whole.__enter__()
        parties.allow_shared_connections()
        by_tag = {tag: parties.make(tag) for tag in WHOSE}
        staff = parties.staff(by_tag[OWN], by_tag[SEEN])
        Market.objects.get_or_create(pk=1)
        PolicySetting.objects.create(name="P1", value="reject")
        Policy.objects.get_or_create(name="P1", value="reject")
        market = {
            "participants_mode": 1,
            "registry_importrun": imported(by_tag[STRANGER]),
            "registry_market": 1,
            "registry_policy": "P1",
            "uftp_unknownsender": unknown(STRANGER),
            "registry_policysetting": PolicySetting.objects.latest("pk").pk,
            "auth_user": staff[OPERATOR].pk,
            "auth_group": Group.objects.latest("pk").pk,
        }
        mixed = parties.mixed_change(by_tag[OWN], by_tag[STRANGER])
    yield World(by_tag, staff, market, mixed)
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)


def unknown(tag: str) -> int:
    """The number of a sender that is no participant."""
    at = now()
    return UnknownSender.objects.create(
        role="AGR",
        domain=f"unknown-{tag}.example",
        address="203.0.113.7",
        network="203.0.113.7",
        line=f"no public key of AGR unknown-{tag}.example can be found",
        requests=3,
        first_at=at,
        last_at=at,
    ).pk


def imported(party: parties.Party) -> int:
    """The number of an upload that is about `party`, and was refused."""
    run = ImportRun.objects.create(
        kind="connections",
        state="refused",
        uploaded=True,
        applies=False,
        file_name=f"{party.tag}.csv",
        actor="kim",
        reason=f"Handed in by {party.tag}",
        lines=2,
        bad_lines=1,
        summary={"first_rejects": [[2, "agr", "participant: not registered as AGR", f"{party.tag}.example"]]},
    )
    rejects = f"line,column,rule,value\n2,agr,participant: not registered as AGR,{party.tag}.example\n"
    ImportFile.objects.create(run=run, rejects=gzip.compress(rejects.encode()))
    return run.pk


@pytest.fixture
def world(made: World, db: None) -> World:
    return made
