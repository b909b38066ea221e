"""Recognise a database that is away in errors, and log it in one line instead of a stack trace for each attempt."""

import logging

from procrastinate.exceptions import ConnectorException

from common.retry import server_trouble


def outage(error: BaseException | None) -> str | None:
    """Return in one line what the database said, if `error` means that it is away or in trouble; None otherwise."""
    if isinstance(error, ConnectorException):
        error = error.__cause__
    if error is None or not server_trouble(error):
        return None
    return " ".join(str(error).split())


def shorten_outage(record: logging.LogRecord) -> bool:
    """Replace the stack trace of an outage by what the database said. A filter of the log that lets all pass."""
    said = outage(record.exc_info[1]) if record.exc_info else None
    if said is not None:
        record.msg, record.args = f"{' '.join(record.getMessage().split())} (database: {said})", None
        record.exc_info = record.exc_text = None
    return True
