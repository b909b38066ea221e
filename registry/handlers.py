"""UFTP messages about the registry: in as they came, out as what the verbs made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import chain
from typing import Any, cast

from registry.changes import Source
from registry.market.market import market, today_at, zone_agrees
from registry.market.policies import in_force
from registry.queries import participants as queries_participants
from registry.updates import publish as update_publish
from registry.updates import revisions
from uftp.handlers import Incoming, Outcome, Rejection
from uftp.protocol import parsing, streaming
from uftp.protocol.messages import AGRPortfolioQuery, DSOPortfolio, DSOPortfolioQuery
from uftp.protocol.reasons import Reason, named


def agr_portfolio_update(incoming: Incoming) -> Outcome:
    """Publish connections: what the AGR represents."""
    return _publish(incoming, update_publish.publish_representations, streaming.stream_connections)


def dso_portfolio_update(incoming: Incoming) -> Outcome:
    """Publish congestion points, with the connections behind them."""
    return _publish(incoming, update_publish.publish_congestion_points, streaming.stream_congestion_points)


def agr_portfolio_query(incoming: Incoming) -> Outcome:
    """Retrieve congestion points: where the AGR's connections lie."""
    query = cast(AGRPortfolioQuery, parsing.parse(incoming.content))
    _check_zone(query.time_zone, query.period)
    agr = incoming.sender
    if not queries_participants.claims_any(agr, query.period):
        raise Rejection([Reason.NO_CONNECTIONS])
    portfolios, unallocated = queries_participants.portfolio(agr, query.period)
    first = next(portfolios, None)
    shown: Iterator[DSOPortfolio] = chain([first], portfolios) if first else _placeholders(incoming)
    return Outcome(
        fields={
            "time_zone": market().time_zone,
            "period": query.period,
            "dso_portfolios": shown,
            "connections": unallocated,
        }
    )


def dso_portfolio_query(incoming: Incoming) -> Outcome:
    """Retrieve active aggregators: who represents the connections behind one of the DSO's congestion points."""
    query = cast(DSOPortfolioQuery, parsing.parse(incoming.content))
    _check_zone(query.time_zone, query.period)
    point = queries_participants.registered_point(incoming.sender, query.entity_address)
    if point is None:
        raise Rejection([Reason.NO_CONNECTIONS])
    connections = queries_participants.connections_behind(point, query.period, in_force(incoming.received_at))
    first = next(connections, None)
    return Outcome(
        fields={
            "time_zone": market().time_zone,
            "period": query.period,
            "congestion_point": point.address if first else None,
            "connections": chain([first], connections) if first else (),
        }
    )


def refused_agr_query(incoming: Incoming) -> Mapping[str, Any]:
    """What a Rejected AGRPortfolioQueryResponse says beside the reason: nothing real."""
    return {**refused_dso_query(incoming), "dso_portfolios": _placeholders(incoming)}


def refused_dso_query(incoming: Incoming) -> Mapping[str, Any]:
    """What a Rejected DSOPortfolioQueryResponse says beside the reason: the market's zone and the Period asked for."""
    return {"time_zone": market().time_zone, "period": incoming.header.attributes["Period"]}


def _publish(
    incoming: Incoming,
    publish: Callable[..., update_publish.Report],
    stream: Callable[[bytes], Iterator[Any]],
) -> Outcome:
    """Take the update's place among its sender's revisions, and apply its lines on the day of its receipt."""
    revisions.advance(
        incoming.sender,
        incoming.header.message_type,
        sequence=parsing.sequence(incoming.header),
        time_stamp=incoming.metadata.time_stamp,
    )
    report = publish(
        incoming.sender,
        stream(incoming.content),
        today=today_at(incoming.received_at, market().time_zone),
        source=Source.of_message(incoming.inbound),
        time_zone=incoming.header.attributes["TimeZone"],
    )
    return Outcome(warnings=report.warnings)


def _check_zone(time_zone: str, period: date) -> None:
    ours = market().time_zone
    if not zone_agrees(time_zone, ours, [period]):
        raise Rejection([named(Reason.TIME_ZONE, [time_zone[:60]], f"is not {ours}")])


def _placeholders(incoming: Incoming) -> Iterator[DSOPortfolio]:
    """One placeholder, or none for a participant that takes the specification's own form."""
    return iter([queries_participants.placeholder()] if incoming.sender.placeholders else [])
