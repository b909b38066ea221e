"""Start, share and stop the embedded server.

Each process that uses the server has a shared lock on the file `users`. The first process starts the server, and the
last one to leave stops it. The lock of a killed process ends with it, so no count can be wrong. If the server is
still running then, the next process uses it. An exclusive lock on the file `gate` lets one process at a time start,
join or leave.
"""

import atexit
import fcntl
import os
import shlex
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.pq import PGconn, Ping

from cro_project.embedded_postgres.places import DATABASE, SOCKET_NAME, USER, Places

SECONDS_TO_START = 60

CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    # Parallel plans need more shared memory than a container usually has.
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
    "timezone": "UTC",
}


class NotStarted(RuntimeError):
    """The embedded server does not start. The text says why, and what to do."""


class Server:
    """The use of one project's server by the calling process."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._users: BufferedWriter | None = None
        self._joined_in = 0
        self._threads = threading.Lock()

    def join(self) -> None:
        """Use the server until this process ends. Start it if it is not running.

        Raises:
            NotStarted: The server does not start.
        """
        with self._threads:
            if self._users is not None:
                return
            with self._gate():
                users = (self.places.home / "users").open("wb")
                fcntl.flock(users, fcntl.LOCK_SH)
                try:
                    self._start()
                except BaseException:
                    users.close()
                    raise
            self._users = users
            self._joined_in = os.getpid()
            atexit.register(self.leave)

    def revive(self) -> None:
        """Start the server again if it has died while this process uses it.

        Raises:
            NotStarted: The server does not start.
        """
        with self._threads, self._gate():
            self._start()

    def leave(self) -> None:
        """Stop using the server; the last process stops it. Do nothing in a forked child, which has not joined."""
        with self._threads:
            if self._users is None or os.getpid() != self._joined_in:
                return
            atexit.unregister(self.leave)
            with self._gate():
                try:
                    fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    pass
                else:
                    self._stop()
                finally:
                    self._users.close()
                    self._users = None

    def answers(self) -> bool:
        """Return whether the server accepts connections."""
        return self._ping() == Ping.OK

    def _ping(self) -> Ping:
        return Ping(PGconn.ping(self._address.encode()))

    @property
    def _address(self) -> str:
        return make_conninfo(host=str(self.places.socket), port=5432, user=USER, dbname="postgres")

    @contextmanager
    def _gate(self) -> Iterator[None]:
        self.places.home.mkdir(parents=True, exist_ok=True)
        with (self.places.home / "gate").open("wb") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            yield

    def _start(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while self._ping() == Ping.REJECT and time.monotonic() < deadline:
            # It is starting or stopping, on the order of a process that was killed.
            time.sleep(0.1)
        if self.answers():
            return
        try:
            self.places.make()
        except OSError as impossible:
            why = f"the embedded PostgreSQL has no place to run: {impossible}"
            raise NotStarted(why) from impossible
        if not self.places.data.exists():
            self._initialise()
        options = {**CONFIGURATION, "unix_socket_directories": f'"{self.places.socket}"'}
        arguments = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        while True:
            self._drop_locks_of_other_processes()
            started = self._run(
                "pg_ctl",
                "start",
                f"--pgdata={self.places.data}",
                "--wait",
                f"--timeout={SECONDS_TO_START}",
                "--silent",
                f"--log={self.places.data / 'start.log'}",
                f"--options={arguments}",
            )
            if started.returncode == 0 or self.answers():
                break
            # The processes of a killed server keep its locks and its memory for a moment.
            busy = any(words in self._log_tail() for words in ("still in use", "already exists"))
            if not busy or time.monotonic() > deadline:
                raise NotStarted(
                    f"the embedded PostgreSQL in {self.places.home} does not start: "
                    f"{started.stderr.strip() or started.stdout.strip()}\n{self._log_tail()}\n"
                    "Mend what the log says, or set DATABASE_URL to a server of your own."
                )
            time.sleep(0.2)
        self._make_database()

    def _initialise(self) -> None:
        """Make the data folder. It is made under another name first, so that a data folder is always complete."""
        unfinished = self.places.home / "data-unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.places.make_folder(unfinished)
        made = self._run(
            "initdb",
            f"--pgdata={unfinished}",
            f"--username={USER}",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        )
        if made.returncode != 0:
            raise NotStarted(
                f"the embedded PostgreSQL cannot be set up in {unfinished}: {made.stderr.strip()}"
            )
        unfinished.rename(self.places.data)

    def _drop_locks_of_other_processes(self) -> None:
        """Remove the lock files that name a process other than our running server.

        PostgreSQL removes the lock files of a server that has ended. But it takes any process of the same account with
        that process id for the old server. After a restart of the machine or container, another process may have the
        id. In a container whose first process does not collect zombies, the killed server itself still has it.
        """
        for file in (self.places.data / "postmaster.pid", self.places.socket / f"{SOCKET_NAME}.lock"):
            try:
                command = psutil.Process(int(file.read_text().split("\n", 1)[0])).cmdline()
            except (psutil.ZombieProcess, psutil.AccessDenied):
                command = []
            except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
                continue
            if not command or Path(command[0]).name != "postgres" or str(self.places.data) not in command:
                file.unlink()

    def _make_database(self) -> None:
        with psycopg.connect(self._address, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE}")

    def _stop(self) -> None:
        self._run(
            "pg_ctl",
            "stop",
            f"--pgdata={self.places.data}",
            "--mode=fast",
            "--wait",
            "--timeout=60",
            "--silent",
        )

    def _run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of PostgreSQL as the account of the server, without the environment of this process."""
        account = self.places.account
        path = os.environ.get("PATH", os.defpath)
        return subprocess.run(
            [str(self.places.binaries / program), *arguments],
            env={"PATH": path, "LC_ALL": "C", "TZ": "UTC"},
            cwd=self.places.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            umask=0o077,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )

    def _log_tail(self) -> str:
        """Return the last lines that the server wrote when it was last started."""
        texts = [self.places.data / "start.log"]
        texts += sorted((self.places.data / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)[-1:]
        lines = [line for text in texts if text.exists() for line in text.read_text().splitlines()[-10:]]
        return "\n".join(lines)
