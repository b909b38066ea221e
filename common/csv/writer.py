"""Write tables and the admin's lists as CSV, streamed row by row from the database."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from html import unescape
from io import StringIO
from itertools import chain, islice
from typing import TypeVar

from django.db import connection, transaction
from django.db.models import Model, QuerySet
from django.http import StreamingHttpResponse
from django.utils.html import strip_tags
from django.utils.safestring import SafeString
from django.utils.timezone import get_current_timezone, localtime, override

from common.display import PLACEHOLDER

M = TypeVar("M", bound=Model)

BATCH_SIZE = 2_000
"""Rows read from the database and sent in one piece."""

TIMEOUT = "60s"
"""How long the database waits for a client that has stopped reading before it ends the export."""

LINE_ENDS = re.compile(r"</(?:div|p|li|tr)>|<br ?/?>")
FORMULA = re.compile(r"[=+\-@\t\r]")
NUMBER = re.compile(r"[+-]?[0-9][0-9.,:%]*")


def csv_response(
    filename: str, headings: Sequence[str], rows: Iterable[Sequence[object]]
) -> StreamingHttpResponse:
    """Return a response that downloads `rows` as the CSV file `filename`.

    Args:
        filename: The name that the browser saves.
        headings: The first line.
        rows: Cells, written by `cell_text`. A generator is read while the file is sent, in the request's time zone.
    """
    return StreamingHttpResponse(
        _pieces(headings, rows, get_current_timezone()),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{filename}"'},
    )


def stream_rows(found: QuerySet[M]) -> Iterator[M]:
    """Yield the rows of `found` from a server-side cursor, so that memory holds at most BATCH_SIZE of them."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{TIMEOUT}'")
        yield from found.iterator(chunk_size=BATCH_SIZE)


def cell_text(value: object) -> str:
    """Return `value` as plain text for a CSV cell.

    A day is `2026-03-01`. An aware moment is `2026-03-01T13:00:05+01:00`, in the current time zone, to the second. HTML
    of a screen's cell becomes plain text. No value, or the dash that screens show, is empty. A text that a spreadsheet
    would read as a formula begins with an apostrophe.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, datetime):
        return localtime(value).isoformat(timespec="seconds")
    plain = str(value)
    if isinstance(value, SafeString):
        plain = unescape(strip_tags(LINE_ENDS.sub("\n", plain)))
        plain = "; ".join(" ".join(line.split()) for line in plain.splitlines() if line.strip())
    if plain == PLACEHOLDER:
        return ""
    return f"'{plain}" if FORMULA.match(plain) and not NUMBER.fullmatch(plain) else plain


def _pieces(headings: Sequence[str], rows: Iterable[Sequence[object]], zone: tzinfo) -> Iterator[bytes]:
    lines = iter(chain([headings], rows))
    while True:
        with override(zone):
            written = StringIO()
            csv.writer(written).writerows(
                [cell_text(cell) for cell in line] for line in islice(lines, BATCH_SIZE)
            )
        if not (piece := written.getvalue()):
            return
        yield piece.encode()
