"""Every URL that the admin site registers, as each kind of staff: what they get, and that it holds nothing foreign."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote_plus

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, reverse
from pytest_django.plugin import DjangoDbBlocker

from participants.models import AuditEntry, Participant, PublicKey
from registry.models import Change, Conflict, Connection, Market, Policy, PolicySetting
from tests.console import parties
from tests.console.expected import (
    ABSENT,
    AUDITOR,
    BY_TABLE,
    DENIED,
    KINDS,
    LIMITED,
    LOG_IN,
    OK,
    OPERATOR,
    OWN,
    PAGES,
    SEEN,
    STRANGER,
    SUPERUSER,
    TABLES,
    Page,
)
from tests.console.parties import Party
from tests.support.exchange import exchange
from uftp.models import InboundMessage, OutboundMessage

WHO = ("anonymous", AUDITOR, LIMITED, OPERATOR, SUPERUSER)
WHOSE = (OWN, SEEN, STRANGER)
FOREIGN = re.compile(r"stranger", re.IGNORECASE)


@dataclass
class World:
    parties: dict[str, Party]
    staff: dict[str, User]
    market: dict[str, object]
    mixed: int

    def client(self, who: str) -> Client:
        client = Client(raise_request_exception=True)
        if who != "anonymous":
            client.force_login(self.staff[who], "django.contrib.auth.backends.ModelBackend")
        return client


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
            "registry_market": 1,
            "registry_policy": "P1",
            "registry_policysetting": PolicySetting.objects.latest("pk").pk,
            "auth_user": staff[OPERATOR].pk,
            "auth_group": Group.objects.latest("pk").pk,
        }
        mixed = parties.mixed_change(by_tag[OWN], by_tag[STRANGER])
    yield World(by_tag, staff, market, mixed)
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        whole.__exit__(None, None, None)


@pytest.fixture
def world(made: World, db: None) -> World:
    return made


def registered(patterns: Any = None) -> Iterator[str]:
    """The names of all URLs of the admin site; those without a name only redirect to one that has one."""
    for pattern in patterns if patterns is not None else admin.site.urls[0]:
        if isinstance(pattern, URLResolver):
            yield from registered(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


NAMES = sorted(set(registered()))


def expected(name: str) -> Page | None:
    """What is expected of the URL with this name: from the pages of our own first, then by its table."""
    if name in PAGES:
        return PAGES[name]
    table, _, view = name.rpartition("_")
    kind = BY_TABLE.get(TABLES.get(table, ""), {}).get(view)
    if kind is None:
        return None
    return Page(kind, table if view in ("change", "history", "delete") else "")


def outcome(response: HttpResponseBase, table: str) -> str:
    """What came; from the page of a row that is not there Django leads to the index, and others to the list."""
    location = response.get("Location", "")
    if response.status_code == 403:
        return DENIED
    if location.startswith("/admin/login/"):
        return LOG_IN
    if response.status_code == 404 or (table and location in (reverse("admin:index"), list_of(table))):
        return ABSENT
    assert response.status_code < 500
    return OK


def body(response: HttpResponseBase) -> str:
    pieces = response if response.streaming else [getattr(response, "content", b"")]
    said = b"".join(pieces).decode(errors="replace")  # type: ignore[arg-type]
    return f"{said}\n{response.get('Location', '')}\n{response.get('Content-Disposition', '')}"


def url(world: World, name: str, page: Page, whose: str) -> str:
    party = world.parties[whose]
    arguments = {}
    for key, value in page.arguments.items():
        is_row = isinstance(value, str) and value.startswith("{")
        arguments[key] = party.rows[str(value).strip("{}")] if is_row else value
    if not page.table:
        return reverse(f"admin:{name}", kwargs=arguments)
    row = party.rows.get(page.table) or world.market[page.table]
    if page.in_query:
        return f"{reverse(f'admin:{name}', kwargs=arguments)}?{page.in_query}={row}"
    key = "id" if name == "auth_user_password_change" else "object_id"
    return reverse(f"admin:{name}", kwargs={**arguments, key: row})


def about_rows(page: Page) -> bool:
    return TABLES.get(page.table) == "of participants"


@pytest.mark.parametrize("name", NAMES)
def test_a_url_is_expected(name: str) -> None:
    assert expected(name) is not None, (
        f"{name}: say in tests/console/expected.py whom this page is for (a line in PAGES, or its table in TABLES)"
    )


def test_what_is_expected_is_there() -> None:
    assert set(PAGES) <= set(NAMES)
    assert {f"{table}_changelist" for table in TABLES} <= set(NAMES)


@pytest.mark.parametrize("name", [name for name in NAMES if expected(name)])
def test_each_gets_what_is_theirs(world: World, name: str) -> None:
    for who in WHO:
        gets_what_is_theirs(world, name, who)


def gets_what_is_theirs(world: World, name: str, who: str) -> None:
    page = expected(name)
    assert page
    client = world.client(who)
    written = AuditEntry.objects.count(), Change.objects.count(), OutboundMessage.objects.count()
    rows = WHOSE if who == LIMITED else (STRANGER,)
    for whose in rows if about_rows(page) else (OWN,):
        address = url(world, name, page, whose)
        wanted = KINDS[page.kind].outcome(who, whose)
        check(client.get(address), wanted, page.table, f"{who}, GET {address} ({whose})")
        wanted = KINDS[page.post or page.kind].outcome(who, whose)
        if wanted != OK:
            answer = client.post(address, {"reason": "because", "post": "yes"})
            check(answer, wanted, page.table, f"{who}, POST {address} ({whose})")
    if page.kind not in ("everybody", "public"):
        assert written == (
            AuditEntry.objects.count(),
            Change.objects.count(),
            OutboundMessage.objects.count(),
        )


def list_of(table: str) -> str:
    return reverse(f"admin:{table}_changelist")


def check(response: HttpResponseBase, wanted: str, table: str, what: str) -> None:
    got = outcome(response, table)
    elsewhere = wanted in (DENIED, ABSENT) and response.status_code == 302 and ", GET " in what
    as_good = elsewhere or response.status_code == 405 or {got, wanted} == {DENIED, ABSENT}
    assert got == wanted or as_good, f"{what}: {got}, expected {wanted}"
    if what.startswith(LIMITED):
        assert_nothing_foreign(response, what)


def assert_nothing_foreign(response: HttpResponseBase, where: str) -> None:
    said = body(response)
    found = FOREIGN.search(said)
    assert not found, f"{where} shows: …{said[max(0, found.start() - 200) : found.end() + 100]}…"


LISTS = sorted(table for table, whose in TABLES.items() if whose == "of participants")


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
            said = body(client.get(page, query))
            for text in query.values():
                for echo in (text, escape(text), quote_plus(text), quote_plus(text, ":")):
                    said = said.replace(echo, "")
            assert not FOREIGN.search(said), f"{page} {query}: {around(said)}"


def specs(client: Client, table: str) -> list[Any]:
    context = client.get(list_of(table)).context
    return list(context["cl"].filter_specs) if context and "cl" in context else []


def around(said: str) -> str:
    found = FOREIGN.search(said)
    assert found
    return f"…{said[max(0, found.start() - 300) : found.end() + 100]}…"


def test_nothing_is_completed_to_what_is_foreign(world: World) -> None:
    client = world.client(LIMITED)
    for model, model_admin in admin.site._registry.items():
        for name in model_admin.autocomplete_fields:
            asked = {
                "app_label": model._meta.app_label,
                "model_name": model._meta.model_name,
                "field_name": name,
            }
            for text in ("", *learned_of(world, world.parties[STRANGER])):
                answer = client.get(reverse("admin:autocomplete"), {**asked, "term": text})
                assert not FOREIGN.search(body(answer)), (asked, text)


@pytest.mark.parametrize("table", LISTS)
def test_no_action_is_done_for_whom_one_does_not_act(world: World, table: str) -> None:
    client = world.client(LIMITED)
    model_admin = admin.site.get_model_admin(apps.get_model(*table.split("_")))
    chosen = [str(world.parties[whose].rows[table]) for whose in (SEEN, STRANGER)]
    before = fingerprint()
    for action in model_admin._get_base_actions():
        for across in ("0", "1"):
            said = {
                "action": action[1],
                "_selected_action": chosen,
                "select_across": across,
                "index": "0",
                "reason": "because",
                "known": "all",
            }
            if across == "0":
                answer = client.post(reverse(f"admin:{table}_changelist"), said)
                assert_nothing_foreign(answer, f"{action[1]} of {table}")
    assert fingerprint() == before


def fingerprint() -> list[Any]:
    """What staff could have changed."""
    return [
        AuditEntry.objects.count(),
        Change.objects.count(),
        list(OutboundMessage.objects.order_by("pk").values_list("pk", "state")),
        list(InboundMessage.objects.order_by("pk").values_list("pk", "state")),
        list(Participant.objects.order_by("pk").values_list("pk", "standing")),
    ]


def test_whatever_strangers_do_changes_no_page(world: World) -> None:
    """Neither counts, nor charts, nor suggestions: pages say the same before and after strangers did a lot."""
    before = everything_said(world)
    parties.make("stranger-too")
    after = everything_said(world)

    assert before.keys() == after.keys()
    for page, said in before.items():
        assert said == after[page], page


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
    page = reverse("admin:registry_conflict_change", args=[conflict.pk])
    for address in (
        page,
        list_of("registry_conflict"),
        reverse("admin:registry_conflict_export"),
        reverse("admin:registry_connection_change", args=[home.pk]),
        reverse("admin:index"),
    ):
        said = body(client.get(address)).replace(agr.domain, "").replace("The stranger agr", "")
        assert not FOREIGN.search(said), f"{address}: {around(said)}"
    assert agr.domain in body(client.get(page))
    before = fingerprint()
    said = {"decision": "keep", "reason": "because"}
    for address in (
        page,
        reverse("admin:registry_conflict_preview", args=[conflict.pk]),
        reverse("admin:registry_conflict_settle") + f"?ids={conflict.pk}",
        reverse("admin:registry_conflict_settle_preview") + f"?ids={conflict.pk}",
    ):
        assert client.post(address, said).status_code == 403, address
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


def the_same_each_time(said: str) -> str:
    said = re.sub(r'(csrfmiddlewaretoken" value|nonce)="[^"]*"', "", said)
    return re.sub(r"\d\d:\d\d:\d\d|timeline-[0-9a-f]{8}", "", said)
