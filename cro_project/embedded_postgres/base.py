"""Django's PostgreSQL backend for the embedded server. The first connection of a process starts the server."""

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
    """The PostgreSQL backend. It starts the server before it connects, and again if the server has died."""

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
