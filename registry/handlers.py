"""Handlers of the UFTP messages about the registry: they read a message and call the registry's verbs."""

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
from uftp.protocol.reasons import Reason, named, of_odd_identifiers


def agr_portfolio_update(incoming: Incoming) -> Outcome:
    """Apply an AGR's update: the connections that it represents."""
    return _publish(incoming, update_publish.publish_representations, streaming.stream_connections)


def dso_portfolio_update(incoming: Incoming) -> Outcome:
    """Apply a DSO's update: its congestion points and the connections behind them."""
    return _publish(incoming, update_publish.publish_congestion_points, streaming.stream_congestion_points)


def agr_portfolio_query(incoming: Incoming) -> Outcome:
    """Return the congestion points of the AGR's connections on a day.

    Raises:
        Rejection: The AGR claims no connection on the day (docs/rules.md Q1), or the time zone does not agree.
    """
    query = cast(AGRPortfolioQuery, parsing.parse(incoming.content))
    _check_zone(query.time_zone, query.period)
    agr = incoming.sender
    if not queries_participants.claims_any(agr, query.period):
        raise Rejection([Reason.NO_CONNECTIONS])
    portfolios, unallocated = queries_participants.portfolio(agr, query.period)
    first = next(portfolios, None)
    dso_portfolios: Iterator[DSOPortfolio] = chain([first], portfolios) if first else _placeholders(incoming)
    return Outcome(
        fields={
            "time_zone": market().time_zone,
            "period": query.period,
            "dso_portfolios": dso_portfolios,
            "connections": unallocated,
        }
    )


def dso_portfolio_query(incoming: Incoming) -> Outcome:
    """Return the active aggregators of the connections behind one of the DSO's congestion points.

    Raises:
        Rejection: The DSO has not registered the congestion point (docs/rules.md Q5), the address is not of the form
            of identifiers (E1), or the time zone does not agree.
    """
    query = cast(DSOPortfolioQuery, parsing.parse(incoming.content))
    if odd := of_odd_identifiers(query.entity_address):
        raise Rejection(odd)
    _check_zone(query.time_zone, query.period)
    point = queries_participants.registered_point(incoming.sender, query.entity_address)
    if point is None:
        raise Rejection([Reason.NO_CONNECTIONS])
    connections = queries_participants.point_connections(point, query.period, in_force(incoming.received_at))
    first = next(connections, None)
    return Outcome(
        fields={
            "time_zone": market().time_zone,
            "period": query.period,
            "congestion_point": point.address if first else None,
            "connections": chain([first], connections) if first else (),
        }
    )


def rejected_agr_query_fields(incoming: Incoming) -> Mapping[str, Any]:
    """Return the fields of a rejected AGRPortfolioQueryResponse: at most a placeholder, nothing registered."""
    return {**rejected_dso_query_fields(incoming), "dso_portfolios": _placeholders(incoming)}


def rejected_dso_query_fields(incoming: Incoming) -> Mapping[str, Any]:
    """Return the fields of a rejected DSOPortfolioQueryResponse: the market's time zone and the requested Period."""
    return {"time_zone": market().time_zone, "period": incoming.header.attributes["Period"]}


def _publish(
    incoming: Incoming,
    publish: Callable[..., update_publish.UpdateResult],
    stream: Callable[[bytes], Iterator[Any]],
) -> Outcome:
    """Advance the sender's revision place, and apply the lines of the update on the day of its receipt."""
    revisions.advance(
        incoming.sender,
        incoming.header.message_type,
        sequence=parsing.sequence(incoming.header),
        time_stamp=incoming.metadata.time_stamp,
    )
    result = publish(
        incoming.sender,
        stream(incoming.content),
        today=today_at(incoming.received_at, market().time_zone),
        source=Source.of_message(incoming.inbound),
        time_zone=incoming.header.attributes["TimeZone"],
    )
    return Outcome(warnings=result.warnings)


def _check_zone(time_zone: str, period: date) -> None:
    ours = market().time_zone
    if not zone_agrees(time_zone, ours, [period]):
        raise Rejection([named(Reason.TIME_ZONE, [time_zone[:60]], f"is not {ours}")])


def _placeholders(incoming: Incoming) -> Iterator[DSOPortfolio]:
    """Return one placeholder; none if placeholders are turned off for the participant (docs/rules.md Q4)."""
    return iter([queries_participants.placeholder()] if incoming.sender.placeholders else [])
