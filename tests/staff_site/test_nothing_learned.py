"""What a limited member of staff could ask by hand, and what others do beside theirs, tells nothing of strangers."""

import re
from datetime import date
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from cro_project.staff import accounts
from cro_project.staff.groups import PARTICIPANT_MANAGER
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.decisions.settle import settle
from registry.market.policies import set_policy
from registry.models import Conflict, CongestionPointConnection
from tests.staff_site import parties
from tests.staff_site.expected import LIMITED, OWN, STRANGER, SUPERUSER
from tests.staff_site.walking import LISTS, World, assert_nothing_foreign, body, list_of
from tests.support.exchange import exchange
from uftp.models import InboundMessage

MESSAGE_OF_OTHERS = "Warning: contested {}; {}"


def lookups(table: str, world: World) -> list[dict[str, str]]:
    """One for each field of the table and each row that points to it, and a few through the rows of others."""
    strangers = world.parties[STRANGER]
    found: list[dict[str, str]] = []
    for field in apps.get_model(*table.split("_"))._meta.get_fields():
        name = field.name
        if field.is_relation:
            rows = field.related_model._meta.label_lower.replace(".", "_")
            key = str(strangers.rows.get(rows, 1))
            found += [{name: key}, {f"{name}__gt": key}, {f"{name}__isnull": "0"}, {f"{name}__pk__in": key}]
        else:
            found += [{f"{name}__contains": "abc"}, {f"{name}__gt": "1"}, {f"{name}__isnull": "True"}]
        if name == "participants":
            key = str(strangers.participants["agr"].pk)
            found += [{"participants__contains": f"{{{key}}}"}, {"participants__len": "2"}]
    return found


def specs(client: Client, table: str) -> list[Any]:
    """The filters beside a list."""
    return list(client.get(list_of(table)).context["cl"].filter_specs)


@pytest.mark.parametrize("table", LISTS)
def test_no_lookup_typed_by_hand_is_answered(world: World, table: str) -> None:
    client = world.client(LIMITED)
    filters = {str(name) for spec in specs(client, table) for name in spec.expected_parameters()}
    by_hand = [query for query in lookups(table, world) if not filters & query.keys()]
    assert by_hand
    for view in ("changelist", "export"):
        page = reverse(f"admin:{table}_{view}")
        for query in by_hand:
            answer = client.get(page, query)
            assert answer.status_code == 302, f"{page} {query} is answered"
            assert answer["Location"].partition("?")[0] == list_of(table)


def contest(world: World, first: str = parties.FIRST) -> Conflict:
    """Own AGR and a stranger's claim the shared connection for the same days."""
    own, stranger = world.parties[OWN], world.parties[STRANGER]
    peer = (stranger if first == parties.FIRST else own).peers["agr"]
    lines = f'<Connection EntityAddress="{parties.SHARED}" StartPeriod="{first}"/>'
    exchange(peer, peer.xml("AGRPortfolioUpdate", lines, TimeZone="Europe/Amsterdam"))
    sides = [party.participants["agr"].pk for party in (own, stranger)]
    return Conflict.objects.get(holder__in=sides, claimant__in=sides, closed_by=None)


def test_a_congestion_point_of_strangers_filters_as_one_that_nobody_knows(world: World) -> None:
    conflict = contest(world)
    client = world.client(LIMITED)

    def found(point: str) -> set[str]:
        text = body(client.get(list_of("registry_conflict"), {"point": point}))
        return set(re.findall(r"/conflict/(\d+)/change/", text))

    assert str(conflict.pk) in found(parties.point(OWN))
    assert found(parties.point(STRANGER)) == found("ea1.2026-01.example.nobody:point-1")


def test_the_message_of_a_stranger_tells_nothing_of_its_other_connections(world: World) -> None:
    conflict = contest(world)
    listed = MESSAGE_OF_OTHERS.format(parties.SHARED, parties.home(STRANGER, 1))
    of = InboundMessage.objects.filter(sender__domain="stranger-agr.example").latest("pk")
    InboundMessage.objects.filter(pk=of.pk).update(result="Accepted", reason=listed)

    page = body(world.client(LIMITED).get(reverse("admin:registry_conflict_change", args=[conflict.pk])))

    assert parties.SHARED in page
    assert parties.home(STRANGER, 1) not in page


def test_why_something_was_decided_between_others_stays_theirs(world: World) -> None:
    stranger = world.parties[STRANGER].participants
    theirs = Conflict.objects.get(
        connection__address=parties.SHARED,
        holder=stranger["agr"],
        claimant=stranger["two"],
        closed_by=None,
    )
    conflict = contest(world, parties.HALF_WAY)
    source = Source.of_staff("kim", "What only they know")
    settle(theirs.pk, "give", at=None, source=source, today=date(2026, 11, 1))

    own = world.parties[OWN].participants["agr"]
    for row in {conflict.pk, *Conflict.objects.filter(claimant=own).values_list("pk", flat=True)}:
        page = reverse("admin:registry_conflict_change", args=[row])
        text = body(world.client(LIMITED).get(page))
        assert parties.SHARED in text or row != conflict.pk
        assert "What only they know" not in text, page


def test_an_adjustment_shows_what_others_get_without_their_congestion_point(world: World) -> None:
    set_policy("membership conflicts", "hold", actor="kim", reason="", now=now())
    home, dso = parties.home(OWN, 1), world.parties[STRANGER].peers["dso"]
    exchange(
        dso, dso.xml("DSOPortfolioUpdate", parties.point_with(STRANGER, [home]), TimeZone="Europe/Amsterdam")
    )
    own = world.parties[OWN].participants["dso"]
    row = CongestionPointConnection.objects.current().get(dso=own, connection__address=home)
    page = reverse("admin:registry_congestionpointconnection_adjust_preview", args=[row.pk])

    answer = world.client(LIMITED).post(page, {"first": parties.FIRST, "last": "2027-06-30"})

    assert answer.status_code == 200
    assert home in body(answer)
    text = body(answer).replace("stranger-dso.example", "").replace("The stranger dso", "")
    assert parties.point(STRANGER) not in text


def test_an_entry_about_a_staff_account_is_none_of_its_participants(world: World) -> None:
    own, stranger = (world.parties[whose].participants["agr"] for whose in (OWN, STRANGER))
    both: list[Participant] = [own, stranger]
    groups = [Group.objects.get(name=PARTICIPANT_MANAGER)]
    given: dict[str, Any] = {
        "groups": groups,
        "sees": [],
        "actor": world.staff[SUPERUSER],
        "reason": "pat starts",
    }
    accounts.save(User(username="pat"), acts_for=both, password="x" * 12, **given)
    assert AuditEntry.objects.latest("pk").reason == "pat starts"

    client = world.client(LIMITED)
    for page in (
        list_of("participants_auditentry"),
        reverse("admin:participants_auditentry_export"),
        reverse("admin:participants_participant_change", args=[own.pk]),
    ):
        answer = client.get(page)
        assert_nothing_foreign(answer, page)
        assert "pat starts" not in body(client.get(page))
