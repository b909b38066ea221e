"""Files of operators, as tests write them: lines under a header, imported into the registry."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from common.csv.importing import Importer, ImportRequest, ImportResult, Options, import_file
from common.csv.reader import read_rows
from common.csv.rejects import Reject, Rejects
from participants.models import Participant
from registry.imports.load import (
    CONGESTION_POINT_COLUMNS,
    CONNECTION_COLUMNS,
    CongestionPointImporter,
    ConnectionImporter,
)
from registry.market.market import market
from registry.models import CongestionPointConnection, CongestionPointTerms, Representation
from registry.periods import in_words
from tests.support.eans import ean

FILE = "file.csv"
TODAY = date(2026, 11, 22)
HOME, SHOP, FARM = (ean(f"8716859000000000{n}") for n in (1, 2, 3))
EAST, WEST = "ea1.2026-01.example.grid:east", "ea1.2026-01.example.grid:west"


def participants() -> None:
    """Two AGRs and two DSOs, registered in this order."""
    for role, name in (("AGR", "first"), ("AGR", "second"), ("DSO", "grid"), ("DSO", "other")):
        Participant.objects.create(role=role, domain=f"{name}.example")


def take_connections(
    lines: Iterable[str], options: Options | None = None, *, expected: str | None = None, **given: Any
) -> ImportResult:
    """Import lines of `agr,connection,start,end`; `rejects` and `today` may be given."""
    return _take(ConnectionImporter, CONNECTION_COLUMNS, lines, options, expected=expected, **given)


def take_points(lines: Iterable[str], options: Options | None = None, **given: Any) -> ImportResult:
    """Import lines of `dso,congestion_point,start,end,mutex,day ahead,intraday,connection,its start,its end`."""
    return _take(CongestionPointImporter, CONGESTION_POINT_COLUMNS, lines, options, **given)


def _take(
    importer: Callable[[ImportRequest], Importer],
    columns: tuple[str, ...],
    lines: Iterable[str],
    options: Options | None,
    *,
    rejects: Rejects | None = None,
    today: date = TODAY,
    expected: str | None = None,
) -> ImportResult:
    text = "\n".join([",".join(columns), *lines])
    request = ImportRequest(
        now=datetime.combine(today, time(12), ZoneInfo(market().time_zone)),
        file_name=FILE,
        actor="kim",
        options=options or Options(),
        rejects=Rejects() if rejects is None else rejects,
        expected=expected,
    )
    return import_file(importer, read_rows(io.BytesIO(text.encode()), columns), request)


def all_of(rejects: Rejects) -> list[Reject]:
    """Every reject, as kept on disk."""
    file = io.BytesIO()
    rejects.write_csv(file)
    file.seek(0)
    read = read_rows(file, ("line", "column", "rule", "value"))
    return [
        Reject(int(row.values["line"]), *(row.values[c] for c in ("column", "rule", "value"))) for row in read
    ]


def represented() -> set[tuple[str, str, str, str]]:
    """(AGR, connection, days, standing) of each current representation."""
    return {
        (row.agr.domain.removesuffix(".example"), row.connection.address, in_words(row.period), row.standing)
        for row in Representation.objects.current().select_related("agr", "connection")
    }


def behind() -> set[tuple[str, str, str, str, str]]:
    """(DSO, congestion point, connection, days, standing) of each current membership."""
    current = CongestionPointConnection.objects.current()
    return {
        (
            row.dso.domain.removesuffix(".example"),
            row.congestion_point.address,
            row.connection.address,
            in_words(row.period),
            row.standing,
        )
        for row in current.select_related("dso", "congestion_point", "connection")
    }


def terms() -> set[tuple[str, str, str, bool, str, str | None]]:
    """(DSO, congestion point, days, mutex, day-ahead, intraday) of the current terms."""
    current = CongestionPointTerms.objects.current().select_related("congestion_point__dso")
    return {
        (
            row.congestion_point.dso.domain.removesuffix(".example"),
            row.congestion_point.address,
            in_words(row.period),
            row.mutex_offers_supported,
            row.day_ahead_redispatch_by,
            row.intraday_redispatch_by,
        )
        for row in current
    }
