"""Run the measured processes, and those that they exchange messages with; all end with the benchmarks."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
from django.conf import settings

from benchmarks import databases
from benchmarks.messages import Sender

T = TypeVar("T")

WITHIN = 1_800.0
_SETTINGS = "cro_project.settings"


class NotInTime(RuntimeError):
    """The awaited event did not happen in time."""


def wait_for(what: str, probe: Callable[[], T], seconds: float = WITHIN, every: float = 0.01) -> T:
    """Call `probe` every `every` seconds and return its result once it is true. Raises NotInTime."""
    deadline = time.monotonic() + seconds
    while not (seen := probe()):
        if time.monotonic() > deadline:
            raise NotInTime(f"{what} did not happen within {seconds:g} s")
        time.sleep(every)
    return seen


def command(database: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run `manage.py` to its end on `database`. Raises subprocess.CalledProcessError."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=_environment(database),
        check=True,
        capture_output=True,
    )


class RunningCro:
    """A context manager that runs a web and a worker process on a database, as operators do by default."""

    def __init__(self, database: str) -> None:
        self._database = database

    def __enter__(self) -> RunningCro:
        self.port = _free_port()
        self._log = tempfile.NamedTemporaryFile(prefix="benchmark-", suffix=".log")
        self._started: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._start("web", "serve", "--port", str(self.port))
            self._start("worker", "worker")
            wait_for("the CRO being ready", self._ready, 60, 0.1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started.values():
            process.terminate()
        for process in self._started.values():
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def log(self) -> str:
        """Return what its processes have written."""
        return Path(self._log.name).read_text(errors="replace")

    def peak_memory(self) -> dict[str, int]:
        """Return the peak resident memory so far, in bytes: the highest of a web process, and that of the worker."""
        return {name: max(map(_peak, _tree(process.pid))) for name, process in self._started.items()}

    def busy(self) -> dict[str, float]:
        """Return the seconds of processor time that the web processes and the worker have used so far."""
        return {
            name: sum(sum(one.cpu_times()[:2]) for one in _tree(process.pid))
            for name, process in self._started.items()
        }

    def _start(self, name: str, *arguments: str) -> None:
        self._started[name] = subprocess.Popen(
            [sys.executable, "manage.py", *arguments, "--with-parent", str(os.getpid())],
            cwd=settings.BASE_DIR,
            env=_environment(self._database),
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _ready(self) -> bool:
        for name, process in self._started.items():
            if process.poll() is not None:
                raise NotInTime(f"{name} has ended:\n{self.log}")
        try:
            url = f"http://127.0.0.1:{self.port}/health/ready"
            return httpx.get(url, timeout=5, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


@contextmanager
def sink() -> Iterator[str]:
    """Run a participant's system that accepts every message, and yield its endpoint."""
    with _beside("benchmarks.sink", "") as port:
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def peer(senders: Iterable[Sender]) -> Iterator[int]:
    """Run the CRO service of `shapeshifter-uftp`, which knows `senders`, and yield its port."""
    keys = {sender.domain: sender.published_key.removeprefix("cs1.") for sender in senders}
    with _beside("benchmarks.peer", json.dumps(keys) + "\n") as port:
        yield port


@contextmanager
def _beside(module: str, first_line: str) -> Iterator[int]:
    """Run a module that reads `first_line` and prints its port; yield the port. It ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(first_line)
        process.stdin.flush()
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(database: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": _SETTINGS,
        "DATABASE_URL": databases.url(database),
        "PYTHONUNBUFFERED": "1",
    }


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _peak(process: psutil.Process) -> int:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    return int(peak[1]) * 1024 if peak else 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
