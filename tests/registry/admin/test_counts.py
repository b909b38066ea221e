"""The counts on the page of a participant count what they say."""

import html
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from registry.changes import Source
from registry.decisions.settle import settle_many
from registry.models import Conflict, Representation
from registry.updates.publish import publish_representations
from tests.registry.admin.pages import (
    LAST,
    TODAY,
    declared,
    home,
    listed,
    message_of,
    party,
    point,
    represented,
)


@pytest.fixture
def staff(db: None, client: Client, stop_clock: Callable[[datetime], None]) -> Client:
    stop_clock(datetime(2026, 6, 1, 12, tzinfo=UTC))
    client.force_login(User.objects.create_superuser("kim", password="kim"))
    return client


def card(client: Client, domain: str, role: str = "AGR") -> dict[str, tuple[str, str]]:
    """What the card *Common reference* says: the number of each line, and the list that it leads to."""
    page = client.get(f"/admin/participants/participant/{party(role, domain).pk}/change/").content.decode()
    page = page[page.index("Common reference") :]
    found = re.findall(r"<dt>([^<]+)</dt>\s*<dd>(?:<a href=\"([^\"]+)\">)?([^<]+)", page)
    return {html.unescape(term): (number.strip(), html.unescape(url)) for term, url, number in found}


def test_276_rows_of_which_260_are_claimed_and_187_count_today(staff: Client) -> None:
    """Connections that are effective today, and beside them those contested and refused; not rows."""
    represented("first.example", *range(73))
    flexa = party("AGR", "flexa.example")
    blocks = [(home(number), TODAY, LAST) for number in range(260)]
    blocks += [(home(number), date(2027, 6, 1), None) for number in range(100, 116)]
    publish_representations(flexa, blocks, today=TODAY, source=Source.of_message(message_of(flexa)))
    refused = Conflict.objects.filter(pk__in=Conflict.objects.order_by("pk").values("pk")[:24])
    settle_many(refused, "keep", at=None, source=Source.of_staff("kim", "as agreed"), today=TODAY)
    assert Representation.objects.current().filter(agr=flexa).count() == 276

    says = card(staff, "flexa.example")

    assert [says[name][0] for name in says if "today" in name] == ["187", "49", "24"]
    assert says["Connections represented today"][0] == "187"
    assert says["Claims for today that are contested"][0] == "49"
    assert says["Claims for today that are refused"][0] == "24"
    for name in [name for name in says if "today" in name]:
        number, url = says[name]
        assert str(staff.get(url).context["cl"].result_count) == number, name


def test_a_dso_s_points_and_the_connections_behind_them_today(staff: Client) -> None:
    declared("stroomnet.example", 1, 1, 2, 3)
    declared("stroomnet.example", 2, last=TODAY + timedelta(days=1))

    says = card(staff, "stroomnet.example", "DSO")

    assert says["Congestion points ever registered"][0] == "2"
    assert says["Connections behind its points today"][0] == "3"


def test_connections_are_filtered_by_agr_dso_and_point(staff: Client) -> None:
    represented("flexa.example", 1, 2)
    represented("dynamo.example", 3)
    declared("stroomnet.example", 1, 1, 3)
    page = "/admin/registry/connection/"

    def found(query: str) -> list[str]:
        return [row.address for row in staff.get(f"{page}?{query}").context["cl"].result_list]

    assert found("agr=flexa.example") == [home(1), home(2)]
    assert found("agr=flex") == [home(1), home(2)]
    assert found("dso=stroomnet.example") == [home(1), home(3)]
    assert found(f"point={point(1).removeprefix('ean.')}") == [home(1), home(3)]
    assert found("agr=flexa.example&dso=stroomnet.example") == [home(1)]
    assert found("o=-0") == [home(3), home(2), home(1)]


def test_congestion_points_are_in_the_order_of_their_addresses(staff: Client) -> None:
    for number in (3, 1, 2):
        declared("stroomnet.example", number)

    def order(query: str = "") -> list[str]:
        page = staff.get(f"/admin/registry/congestionpoint/{query}")
        return [row.address[-2] for row in page.context["cl"].result_list]

    assert order() == ["1", "2", "3"]
    assert order("?o=-0") == ["3", "2", "1"]


def test_holder_claimant_and_connection_of_a_conflict_are_links(staff: Client) -> None:
    represented("flexa.example", 1)
    represented("dynamo.example", 1)
    conflict = Conflict.objects.get()
    page = staff.get("/admin/registry/conflict/").content.decode()

    for link in (
        f"/admin/registry/connection/{conflict.connection_id}/change/",
        f"/admin/participants/participant/{conflict.holder_id}/change/",
        f"/admin/participants/participant/{conflict.claimant_id}/change/",
    ):
        assert f'<a href="{link}"' in page, link
    assert listed(staff, "/admin/registry/conflict/") == {conflict.pk}


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("registry/conflict", "number"),
        ("registry/conflict", "kind"),
        ("registry/conflict", "age"),
        ("registry/connection", "address"),
        ("registry/congestionpoint", "address"),
        ("registry/change", "known_from"),
        ("registry/representation", "recorded"),
        ("registry/congestionpointconnection", "recorded"),
        ("uftp/inboundmessage", "received"),
        ("uftp/outboundmessage", "created"),
        ("uftp/deliveryattempt", "started"),
        ("uftp/refusal", "received"),
        ("reservations/contract", "dso_domain"),
        ("reservations/reservationupdate", "for_day"),
        ("reservations/reservationupdate", "received"),
        ("participants/auditentry", "who"),
    ],
)
def test_columns_with_an_index_sort(staff: Client, table: str, column: str) -> None:
    shown = staff.get(f"/admin/{table}/").context["cl"]
    place = list(shown.list_display).index(column)

    for order in (f"{place}", f"-{place}"):
        answer = staff.get(f"/admin/{table}/?o={order}")
        assert answer.status_code == 200
        assert answer.context["cl"].get_ordering_field_columns() == {place: "desc" if "-" in order else "asc"}
