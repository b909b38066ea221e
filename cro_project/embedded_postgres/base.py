"""Django's PostgreSQL backend, on the embedded server, which starts with a process's first connection."""

from functools import cache
from typing import Any

import psycopg
from django.conf import settings
from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL
from django.db.utils import OperationalError

from cro_project.embedded_postgres import places
from cro_project.embedded_postgres.server import NotStarted, Server


@cache
def server() -> Server:
    """Return the server of this project."""
    return Server(places.of_project(settings.BASE_DIR))


class DatabaseWrapper(PostgreSQL):
    """The PostgreSQL backend; starts the server before it connects, and again where it has died."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            server().join()
        except NotStarted as why:
            raise OperationalError(str(why)) from why
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            if server().answers():
                raise
            server().revive()
            return super().get_new_connection(conn_params)
