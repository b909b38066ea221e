"""A CRO as operators run it: a web process, a worker process and a database of its own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import psycopg
from django.conf import settings
from psycopg import sql

from demo.participants import Cro
from tests.interop.raw import Sender
from tests.support.polling import wait_for
from tests.support.processes import Process, free_port

SETTINGS = "cro_project.settings"
READY_WITHIN = 60.0


class CommandFailedError(Exception):
    """A management command has failed; its words."""


@contextmanager
def fresh_database() -> Iterator[str]:
    """A new empty database on the server that the tests use, as a DATABASE_URL; dropped afterwards.

    Where that is the embedded server, this process must have joined it.
    """
    given = settings.DATABASES["default"]
    name = f"interop_{secrets.token_hex(4)}"
    options: dict[str, Any] = {
        "host": given.get("HOST") or None,
        "port": given.get("PORT") or None,
        "user": given.get("USER") or None,
        "password": given.get("PASSWORD") or None,
    }
    with psycopg.connect(dbname="postgres", autocommit=True, **options) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield database_url(name, **options)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def database_url(name: str, *, host: Any, port: Any, user: Any, password: Any) -> str:
    account = quote(str(user or ""), safe="") + (f":{quote(str(password), safe='')}" if password else "")
    if str(host or "").startswith("/"):
        return f"postgres://{account}@/{name}?{urlencode({'host': host, 'port': port or 5432})}"
    return f"postgres://{account}@{host or ''}{f':{port}' if port else ''}/{name}"


class RunningCro:
    """A web and a worker process on a database; `stop` ends both."""

    def __init__(self, database: str, **settings_of_its_own: str) -> None:
        self.database = database
        self._settings = {"DATABASE_URL": database, **settings_of_its_own}
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._console = self._start_console()
        self.manage("migrate", "--verbosity", "0", "--no-input")
        self.processes = {
            "web": Process("serve", "--port", str(port), settings_module=SETTINGS, **self._settings),
            "worker": Process("worker", settings_module=SETTINGS, **self._settings),
        }
        try:
            wait_for("the CRO being ready", self._ready, READY_WITHIN)
        except AssertionError as late:
            self.stop()
            raise AssertionError(f"{late}\n{self.logged_since({})}") from None
        self.known_as = Cro.at(self.url, settings.CRO_DOMAIN, self.manage("public_key"))

    def _start_console(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.interop.console"],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": SETTINGS, **self._settings},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _ready(self) -> bool:
        for name, process in self.processes.items():
            assert not process.ended, f"{name} has ended"
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def log_sizes(self) -> dict[str, int]:
        """How many characters each process has written."""
        return {name: len(process.log) for name, process in self.processes.items()}

    def logged_since(self, before: dict[str, int]) -> str:
        """What the processes have written since `log_sizes` was `before`."""
        written = {name: process.log[before.get(name, 0) :] for name, process in self.processes.items()}
        return "\n".join(f"{name}:\n{text}" for name, text in written.items() if text)

    def manage(self, *arguments: str) -> str:
        """What `manage.py arguments` prints, run by a process that is started already."""
        assert self._console.stdin is not None
        assert self._console.stdout is not None
        self._console.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._console.stdin.flush()
        said = json.loads(self._console.stdout.readline() or '{"error": "the console has ended"}')
        if said["error"]:
            raise CommandFailedError(f"{arguments[0]}: {said['error']}")
        return str(said["printed"]).strip()

    def register(self, participant: Sender, *, standing: str = "authorized") -> None:
        """Add `participant` to the allowlist as it is, or update what is there."""
        self.manage(
            "add_participant",
            *("--role", participant.role),
            *("--domain", participant.domain),
            *("--public-key", participant.public_key),
            *("--endpoint", participant.endpoint),
            *("--standing", standing),
        )

    def wait_for_message(self, message_type: str, conversation_id: str) -> None:
        """Wait until the CRO has received such a message; raises AssertionError when it does not."""

        def received() -> list[Any]:
            rows = json.loads(self.manage("list_messages", "--in", "--json"))
            wanted = (message_type, conversation_id)
            return [row for row in rows if (row["message_type"], row["conversation_id"]) == wanted]

        wait_for(f"a {message_type} in conversation {conversation_id}", received)

    def stop(self) -> None:
        for process in self.processes.values():
            process.process.terminate()
        for process in self.processes.values():
            process.stop()
        self._console.kill()
        self._console.wait()
