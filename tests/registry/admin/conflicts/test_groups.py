"""Open conflicts grouped by parties and cause, with one click that leads to settle a group."""

import html
import re
from datetime import date

from django.contrib.auth.models import Group, User
from django.test import Client
from guardian.shortcuts import assign_perm

from registry.models import Conflict
from tests.registry.admin.pages import LAST, party, represented

GROUPS = "/admin/registry/conflict/groups/"


def rows(client: Client) -> list[str]:
    """The lines of the table, in plain words."""
    page = client.get(GROUPS).content.decode()
    lines = re.findall(r"<tr><td.*?</tr>", page, re.S)
    return [" ".join(html.unescape(re.sub(r"<[^>]+>", " ", line)).split()) for line in lines]


def test_seventeen_of_one_message_are_one_group_that_is_settled_together(db: None, client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    represented("flexa.example", *range(20))
    represented("dynamo.example", *range(17))
    represented("dynamo.example", *range(19))

    first, second = rows(client)

    assert first.startswith(
        "17 Representation dynamo.example flexa.example 2026-06-01 AGRPortfolioUpdate of AGR dynamo.example"
    )
    assert second.startswith(
        "2 Representation dynamo.example flexa.example 2026-06-01 AGRPortfolioUpdate of AGR dynamo.example"
    )
    link = re.search(r'href="([^"]+)" aria-label="Settle 17', client.get(GROUPS).content.decode())
    assert link
    page = client.get(html.unescape(link[1])).content.decode()
    assert "Settle 17 representation conflicts together" in page
    assert GROUPS in client.get("/admin/registry/conflict/").content.decode()


def test_a_group_says_when_its_days_begin_and_its_form_which_conflicts_it_has(
    db: None, client: Client
) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    represented("flexa.example", 1, 2)
    represented("dynamo.example", 1, 2, first=date(2026, 7, 1))
    conflict = Conflict.objects.all()[0]

    (only,) = rows(client)

    assert only.startswith("2 Representation dynamo.example flexa.example 2026-07-01 AGRPortfolioUpdate")
    page = html.unescape(client.get(f"/admin/registry/conflict/settle/?like={conflict.pk}").content.decode())
    said = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "Which conflicts Conflict Connection Contested days" in said
    for each in Conflict.objects.all():
        assert f"conflict {each.pk} {each.connection} 2026-07-01 to {LAST}" in said


def test_a_group_of_one_leads_to_the_page_of_its_conflict(db: None, client: Client) -> None:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    represented("flexa.example", 1)
    represented("dynamo.example", 1)
    conflict = Conflict.objects.get()

    page = client.get(GROUPS).content.decode()

    assert f'href="/admin/registry/conflict/{conflict.pk}/change/">Settle conflict {conflict.pk}</a>' in page
    assert "settle/?like=" not in page


def test_limited_staff_see_groups_of_their_participants_alone(db: None, client: Client) -> None:
    represented("flexa.example", 1, 2)
    represented("dynamo.example", 1)
    represented("third.example", 2)
    user = User.objects.create_user("lee", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO participant manager"))
    assign_perm("participants.view_participant", user, party("AGR", "third.example"))
    client.force_login(user)

    (only,) = rows(client)

    assert only.startswith("1 Representation third.example flexa.example")
    assert "settling it needs the right to act for both parties" in only
    assert Conflict.objects.count() == 2
