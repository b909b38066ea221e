"""Make databases for the benchmarks, on the server of `DATABASE_URL` or else on the embedded one.

The name of each has a number, and its process holds an advisory lock with that number. A process that is killed
releases the lock. So the next run knows which databases are left over, and drops them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote, urlencode, urlsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from common import locks
from cro_project.config.environment import EMBEDDED
from cro_project.embedded_postgres.base import server

PREFIX = "cro_benchmark_"


def url(database: str) -> str:
    """Return the address of `database` on the server, in the form of libpq and `DATABASE_URL`."""
    default = settings.DATABASES["default"]
    if default["ENGINE"] == EMBEDDED:
        place = urlencode({"host": default["HOST"], "port": default["PORT"]})
        return f"postgres://{quote(default['USER'], safe='')}@/{database}?{place}"
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{database}").geturl()


def use(database: str) -> None:
    """Make Django in this process use `database` from now on."""
    connection.close()
    connection.settings_dict["NAME"] = database


class Databases:
    """A context manager that copies a migrated database as often as needed, and drops all copies at its end."""

    def __enter__(self) -> Databases:
        if settings.DATABASES["default"]["ENGINE"] == EMBEDDED:
            server().join()
        self._server = psycopg.connect(url("postgres"), autocommit=True)
        self._run = secrets.randbelow(1 << 31)
        self._lock(self._run)
        self._made = 0
        self._left: set[str] = set()
        self._drop_left_behind()
        self._template = self._create("template1")
        try:
            use(self._template)
            call_command("migrate", verbosity=0, interactive=False)
            connection.close()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        connection.close()
        for name in list(self._left):
            self._drop(name)
        self._server.close()

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """Make a migrated database without facts, and yield its name; drop it afterwards. Django here uses it."""
        connection.close()
        name = self._create(self._template)
        use(name)
        try:
            yield name
        finally:
            connection.close()
            self._drop(name)

    def flush(self) -> None:
        """Write the server's memory to disk, if permitted, so that this does not slow what is measured."""
        with suppress(psycopg.errors.InsufficientPrivilege):
            self._server.execute("CHECKPOINT")

    def setting(self, name: str) -> str:
        """Return a setting of the server, with its unit."""
        row = self._server.execute("SELECT current_setting(%s)", [name]).fetchone()
        return str(row[0]) if row else ""

    def _create(self, template: str) -> str:
        self._made += 1
        name = f"{PREFIX}{self._run}_{self._made}"
        self._left.add(name)
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self._server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def _drop(self, name: str) -> None:
        self._server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        self._left.discard(name)

    def _lock(self, run: int) -> bool:
        row = self._server.execute("SELECT pg_try_advisory_lock(%s, %s)", [locks.BENCHMARK, run]).fetchone()
        return bool(row and row[0])

    def _drop_left_behind(self) -> None:
        named = self._server.execute(
            "SELECT datname FROM pg_database WHERE datname ~ %s", [rf"^{PREFIX}\d+_\d+$"]
        ).fetchall()
        for (name,) in named:
            run = int(name.removeprefix(PREFIX).partition("_")[0])
            if run != self._run and self._lock(run):
                self._drop(name)
                self._server.execute("SELECT pg_advisory_unlock(%s, %s)", [locks.BENCHMARK, run])
