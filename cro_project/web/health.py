"""Answer whether this CRO is alive, and whether it can do its work."""

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from cro_project.web.plain import plain_response, read_only

WORKER_SILENT_AFTER = 45
"""Seconds without a heartbeat of a worker, after which no worker counts as running. Workers send one every 10 s."""


@read_only
def live(request: HttpRequest) -> HttpResponse:
    """Answer 200: this process is alive."""
    return plain_response(200, "alive")


@read_only
def ready(request: HttpRequest) -> HttpResponse:
    """Answer 200 if messages can be stored and handled; otherwise 503 and one line that says what is missing."""
    try:
        missing = _missing()
    except (DatabaseError, InterfaceError):
        missing = "the database cannot be reached"
    return plain_response(503, missing) if missing else plain_response(200, "ready")


def _missing() -> str:
    """Return why this CRO cannot work; an empty text if it can.

    Raises:
        DatabaseError, InterfaceError: The database cannot be used.
    """
    if missing := missing_migrations():
        return missing
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM procrastinate_workers WHERE last_heartbeat > now() - %s * interval '1 s' LIMIT 1",
            [WORKER_SILENT_AFTER],
        )
        if cursor.rowcount == 0:
            return f"no worker has been seen for {WORKER_SILENT_AFTER} seconds: run manage.py worker"
    return ""


def missing_migrations() -> str:
    """Return how many migrations are not applied, and what to run; an empty text if none are."""
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return f"{len(waiting)} migrations are not applied: run manage.py migrate" if waiting else ""
