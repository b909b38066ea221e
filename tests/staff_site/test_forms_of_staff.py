"""Each form of staff is sent over HTTP, and its audit entry is found.

A new page has to be named here: with an action to try if it changes something, or as one that only shows.
"""

import html
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory, override_settings
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from common import clock
from cro_project.login import two_factor
from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.models import (
    Change,
    Conflict,
    CongestionPointConnection,
    CongestionPointTerms,
    ImportRun,
    Notice,
    Representation,
    RevisionPlace,
)
from registry.updates.revisions import advance
from reservations.contracts.profiles import Profile, Stretch
from reservations.models import Contract, ReservationUpdate
from reservations.updates.lifecycle import record_delivery
from tests.participants.conftest import key_text
from tests.registry.admin.pages import declared, list_of, page_of, party, represented
from tests.registry.imports.files import HOME, take_connections
from tests.reservations.dsl import POINT, a_contract, send, some_parties, update_of, update_xml
from tests.reservations.form_data import Filled
from tests.support.exchange import exchange
from tests.support.peer import CRO, Peer
from uftp.delivery.circuits import open_after_refusal
from uftp.models import CircuitBreaker, DeliveryAttempt, InboundMessage, OutboundMessage, UnknownSender

WHY = "as the market's board decided"
PARTICIPANTS = "/admin/participants/participant/"
USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"

Action = Callable[[Client], Any]


def participant(standing: str = "authorized") -> Participant:
    return Peer("AGR", "agr.example", bytes(32)).register(standing=standing)


def below(row: Participant, *parts: object) -> str:
    return f"{PARTICIPANTS}{row.pk}/" + "".join(f"{part}/" for part in parts)


def add_participant(client: Client) -> Any:
    data = {"role": "AGR", "domain": "agr.example", "standing": "authorized", "public_key": key_text(1)}
    return client.post(f"{PARTICIPANTS}add/", {**data, "reason": WHY})


def edit_participant(client: Client) -> Any:
    return client.post(below(participant(), "change"), {"name": "Agr", "reason": WHY})


def give_standing(client: Client) -> Any:
    return client.post(below(participant(), "standing", "barred"), {"expected": "authorized", "reason": WHY})


def give_many_a_standing(client: Client) -> Any:
    row = participant()
    data = {
        "action": "suspend",
        "_selected_action": [row.pk],
        "reason": WHY,
        f"expected_{row.pk}": row.standing,
    }
    return client.post(PARTICIPANTS, data)


def rotate_key(client: Client) -> Any:
    data = {"public_key": key_text(2), "begins": "", "overlap_days": "1", "reason": WHY}
    return client.post(below(participant(), "keys", "rotate"), data)


def end_key(client: Client) -> Any:
    row = participant()
    return client.post(below(row, "keys", row.keys.get().pk), {"end": "yes", "reason": WHY})


def send_test_message(client: Client) -> Any:
    return client.post(below(participant(), "test-message"))


def send_many_test_messages(client: Client) -> Any:
    chosen = {"action": "send_test_messages", "_selected_action": [participant().pk]}
    return client.post(PARTICIPANTS, chosen)


def switch_mode(client: Client) -> Any:
    return client.post("/admin/participants/mode/1/switch/closed/", {"reason": WHY})


def set_policy(client: Client) -> Any:
    data = {"value": "reject", "expected": "adjust", "reason": WHY}
    return client.post("/admin/registry/policy/P3/change/", data)


def set_market(client: Client) -> Any:
    data = {"time_zone": "Europe/Berlin", "isp_duration": "PT15M", "sure": "yes", "reason": WHY}
    return client.post("/admin/registry/market/1/change/", data)


def conflicts(*homes: int) -> list[Conflict]:
    represented("one.example", *homes)
    represented("two.example", *homes)
    return list(Conflict.objects.order_by("pk"))


def as_shown(client: Client, preview: str, page: str, data: dict[str, str]) -> Any:
    """Have the consequences shown, then send the form with what was shown."""
    seen = client.post(preview, data).content.decode()
    (expected,) = re.findall(r'name="expected" value="(\w+)"', html.unescape(seen))
    return client.post(page, {**data, "expected": expected})


def settle(client: Client) -> Any:
    (conflict,) = conflicts(1)
    preview = f"{list_of(Conflict)}{conflict.pk}/preview/"
    return as_shown(client, preview, page_of(conflict), {"decision": "give", "reason": WHY})


def settle_anew(client: Client) -> Any:
    (conflict,) = conflicts(1)
    preview, data = f"{list_of(Conflict)}{conflict.pk}/preview/", {"decision": "keep", "reason": "at first"}
    as_shown(client, preview, page_of(conflict), data)
    return as_shown(client, preview, page_of(conflict), {"decision": "give", "anew": "1", "reason": WHY})


def settle_many(client: Client) -> Any:
    first, *_ = conflicts(1, 2, 3)
    together = f"{list_of(Conflict)}settle/"
    query = f"?like={first.pk}"
    return as_shown(
        client, f"{together}preview/{query}", together + query, {"decision": "keep", "reason": WHY}
    )


def reverse_many(client: Client) -> Any:
    settle_many(client)
    page = f"{list_of(Change)}{Change.objects.latest('pk').pk}/reverse/"
    return as_shown(client, f"{page}preview/", page, {"decision": "give", "reason": WHY})


def reverse_import(client: Client) -> Any:
    party("AGR", "first.example")
    imported = take_connections([f"first.example,{HOME},2026-01-01,"]).change
    page = f"{list_of(Change)}{imported}/reverse/"
    return as_shown(client, page, page, {"reason": WHY})


def tell(client: Client) -> Any:
    settle(client)
    return client.post(f"{list_of(Notice)}{Notice.objects.latest('pk').pk}/told/", {"reason": WHY})


def tell_many(client: Client) -> Any:
    settle(client)
    chosen = {
        "action": "record_many_told",
        "_selected_action": [Notice.objects.latest("pk").pk],
        "reason": WHY,
    }
    return client.post(list_of(Notice), chosen)


def adjusting(row: Any, client: Client) -> Any:
    page = f"{list_of(type(row))}{row.pk}/adjust/"
    data = {"first": "2026-06-01", "last": "2026-08-31", "reason": WHY}
    return as_shown(client, f"{page}preview/", page, data)


def adjust_representation(client: Client) -> Any:
    represented("one.example", 1)
    return adjusting(Representation.objects.get(), client)


def adjust_membership(client: Client) -> Any:
    declared("grid.example", 7, 1)
    return adjusting(CongestionPointConnection.objects.get(), client)


def adjust_terms(client: Client) -> Any:
    declared("grid.example", 7, 1)
    return adjusting(CongestionPointTerms.objects.get(), client)


def reset_place(client: Client) -> Any:
    moment = datetime(2026, 6, 1, tzinfo=UTC)
    advance(party("AGR", "one.example"), "AGRPortfolioUpdate", time_stamp=moment, sequence=None)
    chosen = {"action": "reset", "_selected_action": [RevisionPlace.objects.get().pk], "reason": WHY}
    return client.post(list_of(RevisionPlace), chosen)


def answered() -> OutboundMessage:
    peer = Peer("AGR", "agr.example", bytes(32))
    peer.register()
    return exchange(peer, peer.xml())


def process_again(client: Client) -> Any:
    answered()
    InboundMessage.objects.update(state="set aside")
    page = f"/admin/uftp/inboundmessage/{InboundMessage.objects.get().pk}/process-again/"
    return client.post(page, {"reason": WHY})


def process_many_again(client: Client) -> Any:
    answered()
    InboundMessage.objects.update(state="set aside")
    chosen = {"action": "process_again", "_selected_action": [InboundMessage.objects.get().pk], "reason": WHY}
    return client.post("/admin/uftp/inboundmessage/", chosen)


def send_again(client: Client) -> Any:
    message = answered()
    OutboundMessage.objects.update(state="failed")
    return client.post(f"/admin/uftp/outboundmessage/{message.pk}/send-again/", {"reason": WHY})


def send_many_again(client: Client) -> Any:
    message = answered()
    OutboundMessage.objects.update(state="failed")
    chosen = {"action": "send_again", "_selected_action": [message.pk], "reason": WHY}
    return client.post("/admin/uftp/outboundmessage/", chosen)


def send_unverified_again(client: Client) -> Any:
    message = answered()
    OutboundMessage.objects.update(state="failed")
    DeliveryAttempt.objects.create(
        message=message, started_at=timezone.now(), status=401, outcome="permanent"
    )
    return client.post("/admin/uftp/outboundmessage/refused-with-401/", {"reason": WHY})


def resume_deliveries(client: Client) -> Any:
    message = answered()
    recipient = message.recipient_role, message.recipient_domain
    open_after_refusal(recipient, message.pk, "HTTP 400", timezone.now())
    page = f"/admin/uftp/circuitbreaker/{CircuitBreaker.objects.get().pk}/resume/"
    return client.post(page, {"reason": WHY})


def clear_unknown_senders(client: Client) -> Any:
    now = timezone.now()
    UnknownSender.objects.create(
        role="AGR", domain="stranger.example", network="192.0.2.7", requests=3, first_at=now, last_at=now
    )
    return client.post("/admin/uftp/unknownsender/clear/", {"reason": WHY})


def change_delivery_settings(client: Client) -> Any:
    said = {
        "token_url": "https://id.example.com/token",
        "client_id": "cro",
        "client_secret": "x",
        "reason": WHY,
    }
    with override_settings(CREDENTIALS_KEY=["A" * 43 + "="]):
        return client.post(below(participant(), "delivery-settings"), said)


CONTRACTS, UPDATES = "/admin/reservations/contract/", "/admin/reservations/reservationupdate/"


def contract(state: str) -> Contract:
    """One between a DSO and an AGR with a connection behind its point, of a thousand watts all day."""
    pair = some_parties(dso="grid.example", agr="agr.example")
    return a_contract(pair.dso, pair.agr, profile=Profile((Stretch(1, 96, 1_000),)), state=state)


def add_contract(client: Client) -> Any:
    some_parties(dso="grid.example", agr="agr.example")
    form = Filled(client, f"{CONTRACTS}add/").write(
        dso="grid.example",
        agr="agr.example",
        contract_id="C-1",
        congestion_point=POINT,
        first="2026-01-01",
        reason=WHY,
    )
    return form.press("save").answer


def edit_contract(client: Client) -> Any:
    form = Filled(client, f"{CONTRACTS}{contract('in force').pk}/edit/")
    return form.write(last="2030-12-31", reason=WHY).press("save").answer


def put_contract_in_force(client: Client) -> Any:
    page = f"{CONTRACTS}{contract('draft').pk}/in-force/"
    return client.post(page, {"expected": 1, "reason": WHY})


def make_contract_a_draft_again(client: Client) -> Any:
    page = f"{CONTRACTS}{contract('in force').pk}/draft/"
    return client.post(page, {"expected": 1, "reason": WHY})


def end_contract(client: Client) -> Any:
    page, last = f"{CONTRACTS}{contract('in force').pk}/end/", "2030-12-31"
    return client.post(page, {"expected": 1, "last": last, "seen": last, "reason": WHY})


def record_outcome(client: Client) -> Any:
    pair = some_parties(dso="grid.example", agr="agr.example")
    a_contract(pair.dso, pair.agr)
    period = clock.now().date() + timedelta(days=3)
    update = update_of(send(pair.dso, update_xml(pair.dso, CRO, (1, 4, 0), period=period)))
    data = {"outcome": "rejected", "expected": "accepted", "reason": WHY}
    return client.post(f"{UPDATES}{update.pk}/outcome/", data)


def undone_update() -> ReservationUpdate:
    """One that its AGR's system has refused."""
    pair = some_parties(dso="grid.example", agr="agr.example", endpoint="http://127.0.0.1:9/api/v3/message")
    a_contract(pair.dso, pair.agr)
    period = clock.now().date() + timedelta(days=3)
    content = update_xml(pair.dso, pair.agr.domain, (1, 4, 0), period=period)
    update = update_of(send(pair.dso, content))
    record_delivery(update, delivered=False, source=Source.of_delivery(update.message, "HTTP 400"))
    OutboundMessage.objects.filter(passes_on=update.message).update(state="failed")
    return update


def send_updates_again(client: Client) -> Any:
    chosen = {"action": "send_again", "_selected_action": [undone_update().pk], "reason": WHY}
    return client.post(UPDATES, chosen)


def record_outcomes(client: Client) -> Any:
    chosen = {"action": "record_outcome", "_selected_action": [undone_update().pk], "reason": WHY}
    return client.post(UPDATES, {**chosen, "outcome": "accepted", "expected": "undone"})


IMPORTS = "/admin/registry/importrun/"


def upload_file(client: Client) -> Any:
    file = SimpleUploadedFile("handover.csv", b"agr,connection,start,end\n")
    return client.post(f"{IMPORTS}add/", {"kind": "connections", "file": file, "reason": WHY})


def deciding_on_import(state: str, do: str) -> Action:
    def act(client: Client) -> Any:
        upload_file(client)
        run = ImportRun.objects.latest("pk")
        ImportRun.objects.filter(pk=run.pk).update(state=state, fingerprint="as-shown")
        return client.post(f"{IMPORTS}{run.pk}/decide/", {"do": do, "fingerprint": "as-shown"})

    return act


def account(**values: Any) -> dict[str, Any]:
    return {"first_name": "", "last_name": "", "email": "", "is_active": "on", "reason": WHY, **values}


def lee() -> User:
    return User.objects.create_user("lee", password="right-lee-1", is_staff=True)


def add_user(client: Client) -> Any:
    groups = [Group.objects.get(name="CRO operator").pk]
    return client.post(f"{USERS}add/", account(username="lee", groups=groups))


def change_user(client: Client) -> Any:
    operators = Group.objects.get(name="CRO operator")
    return client.post(f"{USERS}{lee().pk}/change/", account(groups=[operators.pk]))


def invite_again(client: Client) -> Any:
    lee = User.objects.create_user("lee", is_staff=True)
    return client.post(f"{USERS}{lee.pk}/invitation/", {"reason": WHY})


def set_password(client: Client) -> Any:
    data = {"password1": "a-secret-one-1", "password2": "a-secret-one-1", "reason": WHY}
    return client.post(f"{USERS}{lee().pk}/password/", data)


def reset_second_factor(client: Client) -> Any:
    from django_otp.plugins.otp_totp.models import TOTPDevice

    user = lee()
    TOTPDevice.objects.create(user=user, name=two_factor.__name__, confirmed=True)
    return client.post(f"{USERS}{user.pk}/second_factor/", {"reason": WHY})


def add_group(client: Client) -> Any:
    sees = Permission.objects.get(codename="view_conflict")
    return client.post(f"{GROUPS}add/", {"name": "Night shift", "permissions": [sees.pk], "reason": WHY})


def change_group(client: Client) -> Any:
    group = Group.objects.create(name="Night shift")
    sees = Permission.objects.get(codename="view_conflict")
    return client.post(f"{GROUPS}{group.pk}/change/", {"permissions": [sees.pk], "reason": WHY})


def change_own_password(client: Client) -> Any:
    data = {"old_password": "right-kim-1", "new_password1": "a-new-one-1", "new_password2": "a-new-one-1"}
    return client.post("/admin/password_change/", data)


# The page, or the list and its action: what is done there, and what its entry is called.
ACTIONS: dict[str, tuple[Action, str]] = {
    "participants_participant_add": (add_participant, "added participant"),
    "participants_participant_change": (edit_participant, "changed participant"),
    "participants_participant_standing": (give_standing, "changed participant"),
    "participants_participant_changelist authorize suspend": (give_many_a_standing, "changed participant"),
    "participants_participant_rotate": (rotate_key, "added public key"),
    "participants_participant_key": (end_key, "changed public key"),
    "participants_participant_delivery_settings": (change_delivery_settings, "changed delivery settings"),
    "participants_participant_test_message": (send_test_message, "sent TestMessage"),
    "participants_participant_changelist send_test_messages": (send_many_test_messages, "sent TestMessage"),
    "participants_mode_switch": (switch_mode, "set mode"),
    "registry_policy_change": (set_policy, "set policy"),
    "registry_market_change": (set_market, "set market"),
    "registry_conflict_change": (settle, "settle conflict"),
    "registry_conflict_change anew": (settle_anew, "settle conflict anew"),
    "registry_conflict_settle": (settle_many, "settle conflicts"),
    "registry_change_reverse conflicts": (reverse_many, "settle conflicts anew"),
    "registry_change_reverse import": (reverse_import, "reverse import"),
    "registry_notice_told": (tell, "told by hand"),
    "registry_notice_changelist record_many_told": (tell_many, "told by hand"),
    "registry_representation_adjust": (adjust_representation, "adjust period"),
    "registry_congestionpointconnection_adjust": (adjust_membership, "adjust period"),
    "registry_congestionpointterms_adjust": (adjust_terms, "adjust period"),
    "registry_importrun_add": (upload_file, "upload import"),
    "registry_importrun_decide apply": (deciding_on_import("shown", "apply"), "apply import"),
    "registry_importrun_decide discard": (deciding_on_import("shown", "discard"), "discard import"),
    "registry_importrun_decide skip": (deciding_on_import("refused", "skip"), "preview import again"),
    "registry_importrun_decide allow": (deciding_on_import("refused", "allow"), "preview import again"),
    "registry_importrun_decide again": (deciding_on_import("failed", "again"), "preview import again"),
    "registry_revisionplace_changelist reset": (reset_place, "reset revision place"),
    "reservations_contract_add": (add_contract, "add contract"),
    "reservations_contract_edit": (edit_contract, "change contract"),
    "reservations_contract_put_in_force": (put_contract_in_force, "change contract"),
    "reservations_contract_back_to_draft": (make_contract_a_draft_again, "change contract"),
    "reservations_contract_end": (end_contract, "change contract"),
    "reservations_reservationupdate_outcome": (record_outcome, "record outcome of reservation update"),
    "reservations_reservationupdate_changelist send_again": (
        send_updates_again,
        "send reservation update again",
    ),
    "reservations_reservationupdate_changelist record_outcome": (
        record_outcomes,
        "record outcome of reservation update",
    ),
    "uftp_inboundmessage_process_again": (process_again, "process again"),
    "uftp_inboundmessage_changelist process_again": (process_many_again, "process again"),
    "uftp_outboundmessage_send_again": (send_again, "send again"),
    "uftp_outboundmessage_changelist send_again": (send_many_again, "send again"),
    "uftp_outboundmessage_unverified": (send_unverified_again, "send again"),
    "uftp_circuitbreaker_resume": (resume_deliveries, "resume deliveries"),
    "uftp_unknownsender_clear": (clear_unknown_senders, "clear unknown senders"),
    "auth_user_add": (add_user, "added user"),
    "auth_user_change": (change_user, "changed user"),
    "auth_user_add invitation": (add_user, "invited user"),
    "auth_user_invitation": (invite_again, "invited user"),
    "auth_user_password_change": (set_password, "set password"),
    "auth_user_second_factor": (reset_second_factor, "reset second factor"),
    "auth_group_add": (add_group, "added group"),
    "auth_group_change": (change_group, "changed group"),
    "password_change": (change_own_password, "changed own password"),
}

WITHOUT_REASON = {"password_change"}
"""What staff do to their own account needs no reason."""

WITH_OWN_REASON = {"sent TestMessage"}
"""A test of the connection changes nothing: why it is sent is always the same."""

IN_THE_JOURNAL = re.compile(r"\w+_(journal|journal_follow_up|journal_remove)")
"""The journal itself says who wrote what and when: tests/participants/journal/test_journal.py."""

ELSEWHERE = {
    "participants_participant_contact",
    "participants_participant_contact_add",
    "invitation",
    "invitation_accept",
    "login_code",
    "login_set_up",
    "two_factor_set_up",
    "two_factor_renew_codes",
    "two_factor_turn_off",
    "uftp_messagesearch_start",
}
"""One's own second factor: tests/cro_project/login/test_two_factor.py finds the entries. Contacts need no reason:
tests/participants/journal/test_contacts.py finds theirs. Who is invited is not logged in yet:
tests/cro_project/login/test_invitations.py. A search in messages only reads, and has no entry."""

SHOW = re.compile(
    r"index|search|this_cro|login|logout|password_change_done|autocomplete|jsi18n|view_on_site|app_list|two_factor|two_factor_codes"
    r"|\w+_(changelist|export|history|xml|csv|suggest\w*|\w*preview|journal_file)|participants_participant_follow_ups"
    r"|participants_participant_test_message_(result|steps)|registry_importrun_(progress|rejects_csv)"
    r"|registry_conflict_groups|uftp_messagesearch_progress|reservations_contract_(day|month|overview|settlement|version)"
)
"""Pages that only show, whatever is sent to them."""


@pytest.fixture
def kim(client: Client, db: None) -> Client:
    """A superuser, who has every right."""
    client.force_login(User.objects.create_superuser("kim", password="right-kim-1"))
    return client


@pytest.mark.parametrize("page", ACTIONS)
def test_what_staff_do_is_in_the_audit_trail(kim: Client, page: str) -> None:
    act, what = ACTIONS[page]

    answer = act(kim)

    assert answer.status_code == 302 or answer.redirect_chain, html.unescape(answer.content.decode())[-3000:]
    entries = AuditEntry.objects.filter(actor="kim", action=what)
    if page not in WITHOUT_REASON:
        entries = entries.filter(reason="connectivity test" if what in WITH_OWN_REASON else WHY)
    assert entries.exists(), list(AuditEntry.objects.values("actor", "action", "subject", "reason"))
    listed = kim.get("/admin/participants/auditentry/", {"actor": "kim", "action": what}).content.decode()
    assert html.escape(entries.latest("id").subject) in listed


@pytest.mark.parametrize("page", [page for page in ACTIONS if page not in WITHOUT_REASON])
def test_limited_staff_find_the_entries_about_their_participants(kim: Client, page: str) -> None:
    """Who it is about is recorded, unless it is about everybody or about staff."""
    act, what = ACTIONS[page]
    act(kim)

    about_all = page.startswith(
        (
            "auth_",
            "registry_importrun",
            "registry_policy",
            "registry_market",
            "participants_mode",
            "uftp_unknownsender",
        )
    )
    for entry in AuditEntry.objects.filter(actor="kim", action=what):
        assert bool(entry.participants) != about_all, entry.subject


def names(patterns: Any) -> Iterator[str]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and pattern.name:
            yield pattern.name


def test_every_page_that_does_something_is_tried(kim: Client) -> None:
    """Pages of Django's own to add, change and delete count where a superuser may do that."""
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(username="kim")
    (site,) = [
        it for it in get_resolver().url_patterns if isinstance(it, URLResolver) and it.app_name == "admin"
    ]
    tried = {page.partition(" ")[0] for page in ACTIONS} | ELSEWHERE
    closed = set()
    for model, model_admin in admin.site._registry.items():
        for does in ("add", "change", "delete"):
            if not getattr(model_admin, f"has_{does}_permission")(request):
                closed.add(f"{model._meta.app_label}_{model._meta.model_name}_{does}")
    # These only show: what is decided has pages of its own.
    closed |= {"participants_mode_change", "reservations_contract_change"}

    untried = {name for name in names(site.url_patterns) if not SHOW.fullmatch(name)} - tried - closed
    untried = {name for name in untried if not IN_THE_JOURNAL.fullmatch(name)}
    assert untried == set()


def test_every_action_of_a_list_is_tried(kim: Client) -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(username="kim")
    tried = {
        (page.partition(" ")[0], action) for page in ACTIONS for action in page.partition(" ")[2].split()
    }

    there = {
        (f"{model._meta.app_label}_{model._meta.model_name}_changelist", action)
        for model, model_admin in admin.site._registry.items()
        for action in model_admin.get_actions(request)
    }
    assert {one for one in there if one[1] != "settle_together"} <= tried
