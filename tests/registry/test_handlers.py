"""Portfolio messages through the exchange, in every version: what comes back, to the letter and to the schema."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from lxml import etree

from participants.models import Participant
from registry.models import CongestionPoint, Connection, RevisionPlace
from tests.support.exchange import exchange
from tests.support.peer import Peer
from tests.uftp.protocol.strategies import ORACLES, oracle, oracle_file
from uftp.models import OutboundMessage

pytestmark = pytest.mark.django_db(transaction=True)

ZONE = "Europe/Amsterdam"
POINT, HOME, LOOSE = "ean.871000000000000013", "ean.871600000000000017", "ean.871600000000000024"
TERMS = 'MutexOffersSupported="true" DayAheadRedispatchBy="AGR" IntradayRedispatchBy="DSO"'
POINT_LINE = (
    f'<CongestionPoint EntityAddress="{POINT}" StartPeriod="2026-01-01" {TERMS}>'
    f'<Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/></CongestionPoint>'
)
PLACEHOLDER = "ea1.2000-01.example.cro:none"


@pytest.fixture(params=["3.0.0", "3.1.0", "4.0.0"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def agr() -> Peer:
    peer = Peer("AGR")
    peer.register()
    return peer


@pytest.fixture
def dso() -> Peer:
    peer = Peer("DSO")
    peer.register()
    return peer


Ask = Callable[..., etree._Element]


@pytest.fixture
def ask(version: str) -> Ask:
    """Has a message handled and gives its answer, which is valid by the official schema unless told otherwise."""

    def asked(
        peer: Peer, message_type: str, inside: str = "", *, valid: bool = True, **said: str
    ) -> etree._Element:
        attributes = {"TimeZone": ZONE, "Version": version, **said}
        answer: OutboundMessage = exchange(
            peer, peer.xml(message_type, inside, **attributes), int(version[0])
        )
        root = etree.fromstring(answer.content)
        assert root.tag == f"{message_type}Response"
        if ORACLES.is_dir():
            schema = oracle(
                version, "UFTP-agr-dso.xsd" if "Flex" in message_type else oracle_file(message_type)
            )
            assert schema.validate(root) is valid, schema.error_log
        return root

    return asked


def result(answer: etree._Element) -> tuple[str | None, str | None]:
    return answer.get("Result"), answer.get("RejectionReason")


def addresses(answer: etree._Element, path: str) -> list[str | None]:
    return [element.get("EntityAddress") for element in answer.findall(path)]


def test_what_is_published_is_retrieved(ask: Ask, agr: Peer, dso: Peer) -> None:
    assert result(ask(dso, "DSOPortfolioUpdate", POINT_LINE)) == ("Accepted", None)
    lines = "".join(f'<Connection EntityAddress="{a}" StartPeriod="2026-01-01"/>' for a in (HOME, LOOSE))
    assert result(ask(agr, "AGRPortfolioUpdate", lines)) == ("Accepted", None)

    seen = ask(agr, "AGRPortfolioQuery", Period="2026-03-02")
    assert result(seen) == ("Accepted", None)
    assert (seen.get("TimeZone"), seen.get("Period")) == (ZONE, "2026-03-02")
    (portfolio,) = seen.findall("DSO-View/DSO-Portfolio")
    assert portfolio.get("DSO-Domain") == dso.domain
    (point,) = portfolio
    assert dict(point.attrib) == {
        "EntityAddress": POINT,
        "MutexOffersSupported": "true",
        "DayAheadRedispatchBy": "AGR",
        "IntradayRedispatchBy": "DSO",
    }
    assert addresses(point, "Connection") == [HOME]
    assert addresses(seen, "DSO-View/Connection") == [LOOSE]

    active = ask(dso, "DSOPortfolioQuery", Period="2026-03-02", EntityAddress=POINT)
    assert result(active) == ("Accepted", None)
    assert addresses(active, "CongestionPoint") == [POINT]
    (connection,) = active.findall("CongestionPoint/Connection")
    assert dict(connection.attrib) == {"EntityAddress": HOME, "AGR-Domain": agr.domain}


def test_Q4_a_portfolio_without_congestion_points_has_the_placeholder(ask: Ask, agr: Peer) -> None:
    ask(agr, "AGRPortfolioUpdate", f'<Connection EntityAddress="{LOOSE}" StartPeriod="2026-01-01"/>')
    seen = ask(agr, "AGRPortfolioQuery", Period="2026-03-02")
    assert result(seen) == ("Accepted", None)
    assert addresses(seen, "DSO-View/DSO-Portfolio/CongestionPoint") == [PLACEHOLDER]
    assert addresses(seen, "DSO-View/Connection") == [LOOSE]


def test_Q1_nothing_claimed_is_rejected_with_the_placeholder(ask: Ask, agr: Peer) -> None:
    seen = ask(agr, "AGRPortfolioQuery", Period="2026-03-02")
    assert result(seen) == ("Rejected", "No connections available")
    assert addresses(seen, "DSO-View/DSO-Portfolio/CongestionPoint/Connection") == [PLACEHOLDER]


def test_Q4_without_placeholders_the_answer_has_the_specifications_own_form(ask: Ask, agr: Peer) -> None:
    Participant.objects.filter(domain=agr.domain).update(placeholders=False)
    assert len(ask(agr, "AGRPortfolioQuery", Period="2026-03-02", valid=False)) == 0
    ask(agr, "AGRPortfolioUpdate", f'<Connection EntityAddress="{LOOSE}" StartPeriod="2026-01-01"/>')
    seen = ask(agr, "AGRPortfolioQuery", Period="2026-03-02", valid=False)
    assert result(seen) == ("Accepted", None)
    assert [child.tag for child in seen[0]] == ["Connection"]


def test_Q5_another_dsos_congestion_point_is_as_unknown_as_none(ask: Ask, dso: Peer) -> None:
    other = Peer("DSO")
    other.register()
    ask(dso, "DSOPortfolioUpdate", POINT_LINE)
    for address in (POINT, "ean.000000000000"):
        asked = ask(other, "DSOPortfolioQuery", Period="2026-03-02", EntityAddress=address)
        assert result(asked) == ("Rejected", "No connections available")
        assert len(asked) == 0


def test_Q6_a_period_without_connections_leaves_the_congestion_point_out(ask: Ask, dso: Peer) -> None:
    ask(dso, "DSOPortfolioUpdate", POINT_LINE)
    asked = ask(dso, "DSOPortfolioQuery", Period="2025-12-31", EntityAddress=POINT)
    assert result(asked) == ("Accepted", None)
    assert len(asked) == 0


@pytest.mark.parametrize("period", ["12026-01-01", "-0001-01-01", "0001-01-01"])
def test_M8_a_day_that_no_calendar_holds_is_a_rejection(ask: Ask, agr: Peer, period: str) -> None:
    outcome, reason = result(ask(agr, "AGRPortfolioQuery", Period=period))
    assert outcome == "Rejected"
    assert reason is not None
    assert reason.startswith("Invalid Message: ")
    outcome, reason = result(
        ask(agr, "AGRPortfolioUpdate", f'<Connection EntityAddress="{HOME}" StartPeriod="{period}"/>')
    )
    assert outcome == "Rejected"
    assert reason is not None
    assert reason.startswith("Invalid Message: ")
    assert not Connection.objects.exists()


def test_a_rejected_update_leaves_nothing_behind(ask: Ask, dso: Peer) -> None:
    outside = POINT_LINE.replace("<Connection", '<Connection EndPeriod="2025-12-31"').replace(
        'StartPeriod="2026-01-01"/>', 'StartPeriod="2025-12-01"/>'
    )
    told = ask(dso, "DSOPortfolioUpdate", outside)
    assert result(told) == (
        "Rejected",
        f"Period out of bounds: {HOME} at {POINT} (2025-12-01 to 2025-12-31) lies outside the period of its congestion"
        " point",
    )
    assert not Connection.objects.exists()
    assert not CongestionPoint.objects.exists()
    assert not RevisionPlace.objects.exists(), "its place among the revisions is not taken either"


def test_S1_the_sequence_of_a_message_counts(ask: Ask, agr: Peer) -> None:
    line = f'<Connection EntityAddress="{HOME}" StartPeriod="2026-01-01"/>'
    assert result(ask(agr, "AGRPortfolioUpdate", line, Sequence="5"))[0] == "Accepted"
    assert result(ask(agr, "AGRPortfolioUpdate", line, Sequence="4")) == (
        "Rejected",
        "Subordinate sequence number: 4, after 5 was accepted",
    )
    assert result(ask(agr, "AGRPortfolioUpdate", line, Sequence="5"))[0] == "Accepted"
    assert result(ask(agr, "AGRPortfolioUpdate", line, Sequence="9" * 30))[0] == "Rejected"


def test_D9_the_zone_of_a_query_is_checked_for_its_period(ask: Ask, agr: Peer) -> None:
    ask(agr, "AGRPortfolioUpdate", f'<Connection EntityAddress="{LOOSE}" StartPeriod="2026-01-01"/>')
    winter = ask(agr, "AGRPortfolioQuery", Period="2026-01-02", TimeZone="Africa/Lagos")
    assert result(winter)[0] == "Accepted"
    assert winter.get("TimeZone") == ZONE, "the answer's is the market's"
    summer = ask(agr, "AGRPortfolioQuery", Period="2026-07-02", TimeZone="Africa/Lagos")
    assert result(summer) == ("Rejected", f"TimeZone rejected: Africa/Lagos is not {ZONE}")


def test_F1_a_reservation_update_about_no_contract_is_answered(ask: Ask, dso: Peer) -> None:
    told = ask(
        dso,
        "FlexReservationUpdate",
        '<ISP Power="100" Start="1"/>',
        **{
            "ISP-Duration": "PT15M",
            "Period": "2026-03-02",
            "CongestionPoint": POINT,
            "ContractID": "c",
            "Reference": "r",
        },
    )
    assert result(told) == ("Rejected", "Unknown reference ContractID: c is no contract of yours")
