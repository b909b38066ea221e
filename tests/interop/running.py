"""A CRO as operators run it: a web process, a worker process and a database of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import psycopg
from django.conf import settings
from psycopg import sql

from cro_project import environment
from demo.participants import Cro
from tests.interop.raw import Sender

BASE_DIR = Path(settings.BASE_DIR)
READY_WITHIN = 60.0
STOPPED_WITHIN = 45.0


class CommandFailedError(Exception):
    """A management command has failed; its words."""


@contextmanager
def fresh_database() -> Iterator[str]:
    """A new empty database on the server that the tests use, as a DATABASE_URL; dropped afterwards."""
    environment.join_embedded_database()
    given = settings.DATABASES["default"]
    name = f"interop_{secrets.token_hex(4)}"
    options = {
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

    def __init__(self, database: str, logs: Path, **settings_of_its_own: str) -> None:
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "cro_project.settings",
            "DATABASE_URL": database,
            **settings_of_its_own,
        }
        self.logs = logs
        self.database = database
        self.url = f"http://127.0.0.1:{free_port()}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._run("migrate", "--verbosity", "0", "--no-input")
        self._console = self._start("console", ["-m", "tests.interop.console"], pipes=True)
        self.start("web")
        self.start("worker")
        self._wait_until_ready()
        self.known_as = Cro.at(self.url, settings.CRO_DOMAIN, self.manage("public_key"))

    def start(self, name: str) -> None:
        """Start `web` or `worker`."""
        arguments = {"web": ["serve", "--port", self.url.rpartition(":")[2]], "worker": ["worker"]}[name]
        self.processes[name] = self._start(name, ["manage.py", *arguments])

    def _start(self, name: str, arguments: Sequence[str], pipes: bool = False) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE if pipes else subprocess.DEVNULL
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=BASE_DIR,
                env=self.environment,
                stdin=pipe,
                stdout=pipe if pipes else log,
                stderr=log,
            )

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=BASE_DIR, env=self.environment, check=True
        )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        said = "nothing"
        while time.monotonic() < deadline:
            try:
                answer = httpx.get(f"{self.url}/health/ready", timeout=5)
            except httpx.HTTPError:
                pass
            else:
                if answer.status_code == 200:
                    return
                said = answer.text
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} has ended:\n{self.log(name)}")
            time.sleep(0.1)
        logs = "\n".join(self.log(name) for name in self.processes)
        raise RuntimeError(f"not ready within {READY_WITHIN:g} s, /health/ready says {said}\n{logs}")

    def log(self, name: str) -> str:
        """The end of what a process has written."""
        return (self.logs / f"{name}.log").read_text(errors="replace")[-5000:]

    def log_sizes(self) -> dict[Path, int]:
        """How much each process has written."""
        return {log: log.stat().st_size for log in sorted(self.logs.glob("*.log"))}

    def logged_since(self, before: dict[Path, int]) -> str:
        """What the processes have written since `log_sizes` was `before`."""
        return "\n".join(
            f"{log.name}:\n{written.decode(errors='replace')}"
            for log in self.log_sizes()
            if (written := log.read_bytes()[before.get(log, 0) :])
        )

    def manage(self, *arguments: str) -> str:
        """What `manage.py arguments` prints, run by a process that is started already."""
        assert self._console.stdin is not None
        assert self._console.stdout is not None
        self._console.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._console.stdin.flush()
        answer = self._console.stdout.readline()
        if not answer:
            raise CommandFailedError(f"{arguments[0]}: {self.log('console')}")
        said = json.loads(answer)
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

    def wait_for_message(self, message_type: str, conversation_id: str, within: float = 20.0) -> None:
        """Wait until the CRO has received such a message; raises AssertionError when it does not."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            rows = json.loads(self.manage("list_messages", "--in", "--json"))
            if any(message_type in json.dumps(row) and conversation_id in json.dumps(row) for row in rows):
                return
            time.sleep(0.1)
        raise AssertionError(f"no {message_type} in conversation {conversation_id} within {within:g} s")

    def stop(self) -> None:
        everything = [*self.processes.values(), self._console]
        for process in everything:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in everything:
            try:
                process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
