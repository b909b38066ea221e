"""What a limited member of staff reads, searches, filters, exports and types holds nothing foreign."""

import re
from datetime import timedelta
from html import escape, unescape
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from participants.models import PublicKey
from registry.models import Conflict, Connection
from tests.staff_site import parties
from tests.staff_site.expected import (
    LIMITED,
    OWN,
    SEEN,
    STRANGER,
)
from tests.staff_site.parties import Party
from tests.staff_site.walking import (
    FOREIGN,
    LISTS,
    NAMES,
    World,
    about_rows,
    around,
    assert_nothing_foreign,
    body,
    expected,
    fingerprint,
    list_of,
    url,
)
from tests.support.exchange import exchange
from tests.support.peer import CRO
from uftp.models import DeliveryAttempt, InboundMessage, OutboundMessage

ZONE = "Europe/Amsterdam"


def learned_of(world: World, party: Party) -> list[str]:
    """What one could search for to learn of a party."""
    sent = OutboundMessage.objects.filter(recipient_domain__startswith=party.tag).exclude(in_reply_to=None)
    message = sent.select_related("in_reply_to").defer("sealed")[0]
    return [
        *named(party),
        party.tag,
        message.message_id,
        message.conversation_id,
        message.in_reply_to.message_id if message.in_reply_to else "",
        str(world.mixed),
    ]


def named(party: Party) -> list[str]:
    """What names a party and its things."""
    participants = party.participants.values()
    return [
        *(participant.domain for participant in participants),
        *(str(participant) for participant in participants),
        parties.home(party.tag, 1),
        parties.point(party.tag),
        parties.SHARED,
    ]


@pytest.mark.parametrize("table", LISTS)
def test_no_search_or_filter_finds_what_is_foreign(world: World, table: str) -> None:
    client = world.client(LIMITED)
    stranger = world.parties[STRANGER]
    everything = {"known": "all", "state": "all"}
    queries = [
        {**everything, "q": text} for text in [*learned_of(world, stranger), str(stranger.rows[table])]
    ]
    for parameter in sorted(
        {str(name) for spec in specs(client, table) for name in spec.expected_parameters()}
    ):
        queries += [{**everything, parameter: text} for text in named(stranger)]
    for relation in (field for field in apps.get_model(*table.split("_"))._meta.fields if field.many_to_one):
        if key := stranger.rows.get(relation.related_model._meta.label_lower.replace(".", "_")):
            queries.append({**everything, f"{relation.name}__id__exact": str(key)})
    for view in ("changelist", "export"):
        page = reverse(f"admin:{table}_{view}")
        for query in queries if view == "changelist" else queries[:6]:
            page_text = body(client.get(page, query))
            for text in query.values():
                for echo in (text, escape(text), quote_plus(text), quote_plus(text, ":")):
                    page_text = page_text.replace(echo, "")
            assert not FOREIGN.search(page_text), f"{page} {query}: {around(page_text)}"


def specs(client: Client, table: str) -> list[Any]:
    context = client.get(list_of(table)).context
    return list(context["cl"].filter_specs) if context and "cl" in context else []


def test_nothing_is_completed_to_what_is_foreign(world: World) -> None:
    client = world.client(LIMITED)
    for model, model_admin in admin.site._registry.items():
        for name in model_admin.autocomplete_fields:
            data = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": name,
            }
            for text in ("", *learned_of(world, world.parties[STRANGER])):
                answer = client.get(reverse("admin:autocomplete"), {**data, "term": text})
                assert not FOREIGN.search(body(answer)), (data, text)


def test_whatever_strangers_do_changes_no_page(world: World) -> None:
    """Neither counts, nor charts, nor suggestions: pages say the same before and after strangers did a lot."""
    before = everything_said(world)
    parties.make("stranger-too")
    after = everything_said(world)

    assert before.keys() == after.keys()
    for page, text in before.items():
        assert text == after[page], page


def test_no_link_leads_to_what_one_does_not_get(world: World) -> None:
    client = world.client(LIMITED)
    links: dict[str, str] = {}
    for page, text in everything_said(world).items():
        links |= {unescape(found): page for found in re.findall(r'href="(/admin/[^"]*)"', text)}
    assert len(links) > 100
    for link, page in links.items():
        answer = client.get(link)
        to = answer.get("Location", "")
        dead = answer.status_code in (403, 404) or to == reverse("admin:index") or to.endswith("?e=1")
        assert not dead, f"{page} links to {link}: {answer.status_code}"


def shared_pages(world: World) -> list[str]:
    """Pages about what own participants share with strangers, and what was decided about own ones."""
    own = world.parties[OWN].rows
    shared = Connection.objects.get(address=parties.SHARED).pk
    return [
        reverse("admin:registry_connection_change", args=[shared]),
        reverse("admin:registry_change_change", args=[world.mixed]),
        reverse("admin:registry_change_change", args=[own["decided"]]),
        reverse("admin:registry_conflict_change", args=[own["settled"]]),
        reverse("admin:registry_conflict_changelist") + f"?q={parties.SHARED}",
        reverse("admin:registry_representation_export") + f"?known=all&q={parties.SHARED}",
    ]


def test_what_is_shared_shows_one_s_own_side_alone(world: World) -> None:
    client = world.client(LIMITED)
    for page in shared_pages(world):
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert_nothing_foreign(answer, page)


def test_a_conflict_names_its_other_party_and_shows_nothing_else_of_it(world: World) -> None:
    """Who acts for one party alone looks at it, and settles nothing."""
    own, stranger = world.parties[OWN], world.parties[STRANGER]
    agr = stranger.peers["agr"]
    exchange(agr, parties.claim(agr, [parties.home(OWN, 3)]))
    conflict = Conflict.objects.get(holder=own.participants["agr"], claimant=stranger.participants["agr"])
    client = world.client(LIMITED)
    home = Connection.objects.get(address=parties.home(OWN, 3))
    of = InboundMessage.objects.filter(sender__domain=agr.domain).latest("pk").pk
    page = reverse("admin:registry_conflict_change", args=[conflict.pk])
    for address in (
        page,
        list_of("registry_conflict"),
        reverse("admin:registry_conflict_export"),
        reverse("admin:registry_connection_change", args=[home.pk]),
        reverse("admin:index"),
    ):
        data = body(client.get(address)).replace(agr.domain, "").replace("The stranger agr", "")
        assert not FOREIGN.search(data), f"{address}: {around(data)}"
        theirs = re.compile(
            rf'href="/admin/(participants/participant/{conflict.claimant_id}|uftp/inboundmessage/{of})/'
        )
        assert not (dead := theirs.search(data)), f"{address}: {dead[0]} leads nowhere"
    assert agr.domain in body(client.get(page))
    before = fingerprint()
    data = {"decision": "keep", "reason": "because"}
    for address in (
        page,
        reverse("admin:registry_conflict_preview", args=[conflict.pk]),
        reverse("admin:registry_conflict_settle") + f"?ids={conflict.pk}",
        reverse("admin:registry_conflict_settle_preview") + f"?ids={conflict.pk}",
    ):
        assert client.post(address, data).status_code == 403, address
    assert fingerprint() == before


def test_a_contract_names_its_other_party_and_shows_nothing_else_of_it(world: World) -> None:
    """Who acts for the DSO alone looks at its contract with a stranger's AGR, and decides nothing."""
    own, stranger = world.parties[OWN], world.parties[STRANGER]
    agr = stranger.peers["agr"]
    exchange(agr, parties.claim(agr, [parties.home(OWN, 7)]))
    dso = own.peers["dso"]
    exchange(
        dso, dso.xml("DSOPortfolioUpdate", parties.point_with(OWN, [parties.home(OWN, 7)]), TimeZone=ZONE)
    )
    contract = parties.contract_with(own, stranger, "between-two")
    said_to = {
        to: parties.update(dso, to, parties.point(OWN), "between-two", "less") for to in (agr.domain, CRO)
    }
    passing = OutboundMessage.objects.get(passes_on=said_to[agr.domain].message_id)
    DeliveryAttempt.objects.create(
        message=passing, started_at=now(), endpoint="http://127.0.0.1:9/stranger", outcome="temporary"
    )
    day = now().date()
    client = world.client(LIMITED)
    contracts, updates = list_of("reservations_contract"), list_of("reservations_reservationupdate")
    pages = [
        contracts,
        f"{contracts}export/",
        f"{contracts}overview/",
        f"{contracts}settlement/?first={day}&last={day + timedelta(days=3)}",
        *(
            f"{contracts}{contract.pk}/{page}/"
            for page in ("change", f"day/{day}", f"month/{day:%Y-%m}", "version/1")
        ),
        updates,
        f"{updates}export/",
        *(f"{updates}{update.pk}/change/" for update in said_to.values()),
        reverse("admin:index"),
        reverse("admin:registry_change_change", args=[said_to[CRO].recorded_by_id]),
        reverse("admin:uftp_inboundmessage_change", args=[said_to[agr.domain].message_id]),
        list_of("participants_auditentry"),
        reverse("admin:participants_participant_change", args=[own.participants["dso"].pk]),
    ]
    theirs = re.compile(
        rf'href="/admin/(participants/participant/{stranger.participants["agr"].pk}|uftp/outboundmessage/{passing.pk})/'
    )
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = body(answer).replace("Agreed by own with stranger", "").replace(agr.domain, "")
        assert not FOREIGN.search(text.replace("The stranger agr", "")), f"{page}: {around(text)}"
        assert not (dead := theirs.search(text)), f"{page}: {dead[0]} leads nowhere"
    assert agr.domain in body(client.get(contracts))
    before = fingerprint()
    for name in ("edit", "edit_preview", "end", "end_preview", "put_in_force", "back_to_draft"):
        address = reverse(f"admin:reservations_contract_{name}", args=[contract.pk])
        assert client.post(address, {"reason": "because"}).status_code == 403, address
    outcome = reverse("admin:reservations_reservationupdate_outcome", args=[said_to[CRO].pk])
    said_so = {"outcome": "rejected", "expected": "accepted", "reason": "because"}
    assert client.post(outcome, said_so).status_code == 403
    assert fingerprint() == before


def test_a_stranger_s_key_is_refused_without_its_name(world: World) -> None:
    text = PublicKey.objects.get(pk=world.parties[STRANGER].rows["key"]).text
    client, participant = world.client(LIMITED), world.parties[OWN].rows["participants_participant"]
    page = reverse("admin:participants_participant_rotate", args=[participant])

    answer = client.post(page, {"public_key": text, "overlap_days": "14", "reason": "because"})

    assert "another participant" in body(answer)
    assert_nothing_foreign(answer, page)


def everything_said(world: World) -> dict[str, str]:
    """Each page that the limited member of staff gets, without what differs each time."""
    client = world.client(LIMITED)
    found = {page: the_same_each_time(body(client.get(page))) for page in shared_pages(world)}
    for name in NAMES:
        page = expected(name)
        if page is None or not (
            page.kind in ("list", "row", "act", "market") or name in ("index", "app_list")
        ):
            continue
        for whose in (OWN, SEEN) if about_rows(page) else (OWN,):
            if page.kind == "act" and whose == SEEN:
                continue
            address = url(world, name, page, whose)
            queries = [""]
            if page.kind == "list":
                queries += ["?known=all&state=all", f"?known=all&q={parties.SHARED}"]
            for query in queries:
                found[address + query] = the_same_each_time(body(client.get(address + query)))
    return found


def the_same_each_time(text: str) -> str:
    text = re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]*"', "", text)
    return re.sub(r"\d\d:\d\d:\d\d|\b[a-z]+-[0-9a-f]{8}\b", "", text)
