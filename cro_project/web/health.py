"""Whether this CRO is alive, and whether it can do its work."""

from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse

from cro_project.web.plain import line, only_read

WORKER_SILENT_AFTER = 45
"""Seconds without a heartbeat, sent every 10, after which no worker counts as running."""


@only_read
def live(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers."""
    return line(200, "alive")


@only_read
def ready(request: HttpRequest) -> HttpResponse:
    """200 where messages are taken and handled; else 503 and one line saying what is missing."""
    try:
        missing = _missing()
    except (DatabaseError, InterfaceError):
        missing = "the database cannot be reached"
    return line(503, missing) if missing else line(200, "ready")


def _missing() -> str:
    """Return what keeps this CRO from working, or an empty text. May raise Django's database errors."""
    executor = MigrationExecutor(connection)
    if waiting := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return f"{len(waiting)} migrations are not applied: run manage.py migrate"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM procrastinate_workers WHERE last_heartbeat > now() - %s * interval '1 s' LIMIT 1",
            [WORKER_SILENT_AFTER],
        )
        if cursor.rowcount == 0:
            return f"no worker has been seen for {WORKER_SILENT_AFTER} seconds: run manage.py worker"
    return ""
