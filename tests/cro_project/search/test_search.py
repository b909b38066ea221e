"""The search box on every page: what staff type, and what it finds for them."""

import html
import re
from datetime import date, timedelta
from io import StringIO
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group, User
from django.core.mail import get_connection
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from guardian.shortcuts import assign_perm

from participants.models import AuditEntry, Participant
from registry.changes import Source
from registry.decisions.settle import settle, settle_anew
from registry.models import Change, Conflict, Connection, Notice
from registry.notices.send import message_of as email_of
from registry.updates.publish import publish_congestion_points, publish_representations
from reservations.contracts import record as contracts
from reservations.contracts.profiles import Profile, Stretch
from reservations.contracts.record import Terms
from reservations.deadlines import Deadline
from reservations.models import ContractVersion
from tests.registry.admin.pages import message_of, party
from uftp.models import InboundMessage
from uftp.protocol.streaming import MembershipLine, PointLine

TODAY, FIRST = date(2026, 6, 1), date(2026, 6, 1)
EAN = "ean.871685900000000609"
OTHER = "ean.871685900000000616"
STATION = "ea1.2026-01.example.northgrid:station-05"
CAPITALS = "ea1.2026-01.example.Grid:Home-7"
MESSAGE_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"


@pytest.fixture
def made(db: None) -> Conflict:
    """`flexa` represents EAN, and `dynamo` contests it; it is behind station-05 of `northgrid`."""
    flexa, dynamo = party("AGR", "flexa.example"), party("AGR", "dynamo.example")
    northgrid = party("DSO", "northgrid.example")
    first = message_of(flexa)
    InboundMessage.objects.filter(pk=first.pk).update(message_id=MESSAGE_ID)
    lines = [(EAN, FIRST, None), (OTHER, FIRST, None), (CAPITALS, FIRST, None)]
    publish_representations(flexa, lines, today=TODAY, source=Source.of_message(first))
    publish_representations(
        dynamo, [(EAN, FIRST, None)], today=TODAY, source=Source.of_message(message_of(dynamo))
    )
    publish_congestion_points(
        northgrid,
        [PointLine(0, STATION, FIRST, None, True, "AGR", "DSO"), MembershipLine(0, EAN, FIRST, None)],
        today=TODAY,
        source=Source.of_message(message_of(northgrid)),
    )
    contracts.record(
        northgrid,
        flexa,
        "FLEX-2026-001",
        Terms(
            congestion_point=STATION,
            first=FIRST,
            last=None,
            isp_minutes=15,
            deadline=Deadline(hours=1),
            profile=Profile((Stretch(1, 96, 1_000),)),
        ),
        state=ContractVersion.State.IN_FORCE,
        source=Source.of_staff("kim", "signed"),
    )
    return Conflict.objects.get()


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def found(client: Client, text: str) -> str:
    """What the page of results says, without the text that was typed; or where it leads."""
    answer = client.get("/admin/search/", {"q": text})
    if answer.status_code == 302:
        return f"to {answer['Location']}"
    assert answer.status_code == 200
    said = html.unescape(answer.content.decode())
    return said[said.index('<div id="content-main"') :]


@pytest.mark.parametrize(
    ("text", "finds"),
    [
        ("871685900000000609", EAN),
        ("EAN.871685900000000609", EAN),
        ("8716 8590 0000 0006 09", EAN),
        ("EAN.8716", EAN),
        ("EAN.8716…", EAN),
        ("8716...", EAN),
        ("…000609", EAN),
        ("station…", STATION),
        ("8716859", EAN),
        ("609", EAN),
        ("000609", EAN),
        (CAPITALS.lower(), CAPITALS),
        ("HOME-7", CAPITALS),
        ("EA1.2026-01.example.GRID", CAPITALS),
        ("station-05", STATION),
        ("STATION", STATION),
        ("northgrid", STATION),
        ("northgrid", "DSO northgrid.example"),
        ("flex-2026-001", "FLEX-2026-001"),
        ("flexa.example", "dynamo.example against flexa.example"),
        (MESSAGE_ID[:8], MESSAGE_ID),
        (MESSAGE_ID[:8].upper(), MESSAGE_ID),
    ],
)
def test_the_search_box_finds_what_people_type(made: Conflict, staff: Client, text: str, finds: str) -> None:
    said = found(staff, text)

    if said.startswith("to "):
        said = html.unescape(staff.get(said.removeprefix("to ")).content.decode())
    assert finds in said


@pytest.mark.parametrize(
    ("text", "row", "field"),
    [
        ("flexa", "AGR flexa.example", "domain"),
        ("flexa", "FLEX-2026-001", "AGR"),
        ("Flexible", "AGR flexa.example", "name"),
        ("Flexible", "Conflict", "holder"),
        ("dynamo", "Conflict", "claimant"),
        ("station-05", STATION, "address"),
        ("station-05", "FLEX-2026-001", "congestion point"),
        ("station-05", "Conflict", "congestion point"),
        ("flex", "FLEX-2026-001", "ContractID"),
        ("AGRPort", "AGRPortfolioUpdate", "reason"),
    ],
)
def test_each_row_says_by_which_field_it_was_found(
    made: Conflict, staff: Client, text: str, row: str, field: str
) -> None:
    Participant.objects.filter(domain="flexa.example").update(name="Flexible A")
    InboundMessage.objects.update(reason="AGRPortfolioUpdates: too many")

    page = found(staff, text)

    rows = re.findall(r'<li><a href="[^"]*">([^<]*)</a>(.*?)</li>', page)
    fields = {name: re.findall("Found by: ([^<]+)<", beside) for name, beside in rows}
    assert [fields[name] for name in fields if name.startswith(row)], fields
    assert all(fields[name] == [field] for name in fields if name.startswith(row)), fields


def test_the_newest_messages_come_first(made: Conflict, staff: Client) -> None:
    flexa = party("AGR", "flexa.example")
    sent = [message_of(flexa) for _ in range(10)]

    section = found(staff, "flexa").partition("Received messages</h2>")[2].partition("</section>")[0]

    listed = [int(key) for key in re.findall(r"/admin/uftp/inboundmessage/(\d+)/change/", section)]
    assert listed == [message.pk for message in sent[:1:-1]]


def test_the_only_row_is_opened_and_its_field_named(made: Conflict, staff: Client) -> None:
    """A participant that is found by its endpoint: nothing else on the page would say why it is there."""
    Participant.objects.filter(domain="flexa.example").update(endpoint="https://uftp-host.example/message")

    page = html.unescape(staff.get("/admin/search/", {"q": "uftp-host"}, follow=True).content.decode())

    assert "“uftp-host” finds nothing else than this, by its endpoint." in page
    assert "<h1>AGR flexa.example</h1>" in page


def test_a_conflict_and_a_change_are_found_by_number(made: Conflict, staff: Client) -> None:
    assert f"/admin/registry/conflict/{made.pk}/change/" in found(staff, str(made.pk))
    assert f"/admin/registry/change/{made.opened_by_id}/change/" in found(staff, str(made.opened_by_id))


def test_a_conflict_that_is_found_says_that_another_replaces_it(made: Conflict, staff: Client) -> None:
    settle(made.pk, "keep", at=None, source=Source.of_staff("kim", "seen"), today=TODAY)
    settle_anew(made.pk, "give", at=None, source=Source.of_staff("kim", "forged"), today=TODAY)
    later = Conflict.objects.latest("pk")

    said = found(staff, EAN)

    assert f"; The holder keeps the days, replaced by conflict {later.pk}<" in said
    assert "; The claimant gets the days<" in said


@pytest.mark.parametrize("text", ["conflict {}", "Conflict {}", "conflict #{}"])
def test_a_number_with_its_name_finds_that_conflict_alone(made: Conflict, staff: Client, text: str) -> None:
    assert found(staff, text.format(made.pk)) == f"to /admin/registry/conflict/{made.pk}/change/"
    assert f"/admin/registry/conflict/{made.pk}/change/" in found(staff, f"#{made.pk}")


def test_the_reference_of_a_notice_finds_its_decision(made: Conflict, staff: Client) -> None:
    source = Source.of_staff("kim", "moved")
    decided = settle(made.pk, "keep", at=None, source=source, today=TODAY)
    notice = Notice.objects.filter(change=decided)[0]
    reference = email_of(notice, "ann@flexa.example", get_connection()).subject.partition(": ")[2]

    assert reference.startswith("decision ")
    assert found(staff, reference) == f"to /admin/registry/change/{decided}/change/"


def test_a_word_of_a_reason_finds_the_decision(made: Conflict, staff: Client) -> None:
    reason = Source.of_staff("kim", "The customer moved house on the first; see ticket 4711.")
    settle(made.pk, "keep", at=None, source=reason, today=TODAY)

    for text in ("moved", "moved house", "MOVED", "ticket 47"):
        said = found(staff, text)
        assert f"/admin/registry/conflict/{made.pk}/change/" in said, text
        assert "/admin/registry/change/" in said, text
        assert "/admin/participants/auditentry/" in said, text
    assert "Nothing was found" in found(staff, "house moved")
    assert AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("table", "text", "rows"),
    [
        ("registry/conflict", "flexa.example", 1),
        ("registry/conflict", "871685900000000609", 1),
        ("registry/conflict", "609", 1),
        ("registry/conflict", "station-05", 1),
        ("registry/connection", "EAN.8716", 2),
        ("registry/connection", "616", 1),
        ("registry/congestionpoint", "station-05", 1),
        ("registry/congestionpoint", "northgrid", 1),
        ("registry/representation", "609", 2),
        ("registry/representation", "flexa", 3),
        ("registry/congestionpointconnection", "station-05", 1),
        ("registry/congestionpointterms", "station-05", 1),
        ("registry/change", MESSAGE_ID[:8], 1),
        ("uftp/inboundmessage", MESSAGE_ID[:8], 1),
        ("uftp/inboundmessage", "northgrid", 1),
        ("reservations/contract", "flex-2026-001", 1),
        ("reservations/contract", "northgrid", 1),
        ("participants/participant", "northgrid", 1),
    ],
)
def test_the_search_of_each_list_is_as_forgiving(
    made: Conflict, staff: Client, table: str, text: str, rows: int
) -> None:
    answer = staff.get(
        f"/admin/{table}/", {"q": text, "state": "all"} if "conflict" in table else {"q": text}
    )
    if answer.status_code == 302:
        assert rows == 1
        return
    assert len(answer.context["cl"].result_list) == rows


def test_a_message_is_found_by_what_it_made(made: Conflict, staff: Client) -> None:
    """By a connection, all messages that made a fact or a conflict of it; by a point, the one that registered it."""
    by_connection = staff.get("/admin/uftp/inboundmessage/", {"q": "871685900000000609"})
    by_point = staff.get("/admin/uftp/inboundmessage/", {"q": "station-05"})

    assert {str(row.sender) for row in by_connection.context["cl"].result_list} == {
        "AGR flexa.example",
        "AGR dynamo.example",
        "DSO northgrid.example",
    }
    assert [str(row.sender) for row in by_point.context["cl"].result_list] == ["DSO northgrid.example"]


def test_a_message_is_found_by_an_entity_that_its_answer_names(made: Conflict, staff: Client) -> None:
    lost = message_of(party("AGR", "flexa.example"))
    reason = f"Period out of bounds: connection {OTHER}: it ends before it starts"
    InboundMessage.objects.filter(pk=lost.pk).update(result="Rejected", reason=reason)

    keys = [
        row.pk for row in staff.get("/admin/uftp/inboundmessage/", {"q": OTHER}).context["cl"].result_list
    ]

    assert lost.pk in keys


@pytest.fixture
def limited(made: Conflict) -> Client:
    """A member of staff who sees `dynamo` alone."""
    user = User.objects.create_user("lee", password="lee", is_staff=True)
    user.groups.add(Group.objects.get(name="CRO participant manager"))
    assign_perm("participants.view_participant", user, Participant.objects.get(domain="dynamo.example"))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    "text",
    [
        OTHER,
        OTHER.removeprefix("ean."),
        "616",
        STATION,
        "station-05",
        "northgrid",
        "flex-2026-001",
        MESSAGE_ID,
        MESSAGE_ID[:8],
        "signed",
    ],
)
def test_limited_staff_find_nothing_of_others(limited: Client, text: str) -> None:
    """Not a row, not a count: the page is the one for what nobody has."""
    nothing = found(limited, "no-such-thing").replace("no-such-thing", "")

    assert found(limited, text).replace(text, "").replace(quote(text), "") == nothing
    assert "Nothing was found" in nothing


def test_the_message_id_of_another_is_not_to_be_guessed_by_a_change_of_one_s_own(limited: Client) -> None:
    """The change is in scope: another participant's message gave `dynamo` the day. Its message is not."""
    flexa = party("AGR", "flexa.example")
    message = message_of(flexa)
    theirs = "5f0c9a3e-1b2d-4c6f-8a7b-9d0e1f2a3b4c"
    InboundMessage.objects.filter(pk=message.pk).update(message_id=theirs, conversation_id="talk-77")
    yesterday = FIRST - timedelta(days=1)
    publish_representations(flexa, [(EAN, FIRST, yesterday)], today=TODAY, source=Source.of_message(message))
    change = Change.objects.latest("pk")

    assert found(limited, str(change.pk)) == f"to /admin/registry/change/{change.pk}/change/"
    for text in (theirs, theirs[:2], "talk-77"):
        assert "Nothing was found" in found(limited, text)
        answer = limited.get("/admin/registry/change/", {"q": text})
        assert list(answer.context["cl"].result_list) == []


def test_what_is_another_s_is_searched_for_like_what_is_not_there(limited: Client) -> None:
    """With as many statements, each among the rows in scope; so neither a count nor the time tells of it."""

    def asked(text: str) -> list[str]:
        with CaptureQueriesContext(connection) as queries:
            assert "Nothing was found" in found(limited, text)
        return [re.sub(r"'[^']*'|\d+", "?", query["sql"]) for query in queries]

    asked(OTHER)
    for text in (OTHER, STATION, MESSAGE_ID):
        assert len(asked(text)) == len(asked("x" * len(text))), text
    nobody = "ean.871699999999999999"
    assert asked(OTHER) == asked(nobody)


def test_limited_staff_find_their_own(limited: Client, made: Conflict) -> None:
    for text in ("609", "871685900000000609", "dynamo"):
        assert "dynamo.example against flexa.example" in found(limited, text), text
    assert f"/admin/registry/connection/{made.connection_id}/change/" in found(limited, "609")


def test_the_box_is_on_every_page(staff: Client, made: Conflict) -> None:
    shown = Connection.objects.get(address=EAN)
    for page in (
        "/admin/",
        "/admin/search/",
        "/admin/registry/conflict/",
        f"/admin/registry/connection/{shown.pk}/change/",
        "/admin/participants/participant/add/",
        "/admin/no-such-page/",
    ):
        assert '<form id="site-search" action="/admin/search/"' in staff.get(page).content.decode(), page


@pytest.mark.parametrize("text", ["", "  ", "\x00", "%", "'", "\\", "':*", "x" * 5_000, "🙂", "9" * 40])
def test_any_text_is_taken(made: Conflict, staff: Client, text: str) -> None:
    assert "/change/" not in re.sub(r"<form.*?</form>", "", found(staff, text))


@pytest.mark.parametrize(
    "text", ["871685900000000609", "EAN.871685900000000609", "609", EAN, "8716 8590 0000 0006 09"]
)
def test_show_connection_takes_the_same_forms(made: Conflict, text: str) -> None:
    said = StringIO()

    call_command("show_connection", text, stdout=said)

    assert EAN in said.getvalue()
    assert "flexa.example" in said.getvalue()


def test_show_connection_names_those_that_a_text_may_mean(made: Conflict) -> None:
    with pytest.raises(CommandError, match=f"{EAN}, {OTHER}"):
        call_command("show_connection", "8716859")
    with pytest.raises(CommandError, match="No connection '871600000000000000' has ever been registered"):
        call_command("show_connection", "871600000000000000")
