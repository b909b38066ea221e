"""Real web and worker processes on the test's database."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
from django.conf import settings
from django.db import connection

from tests.support import peer
from tests.support.polling import wait_for


def environment_here(**more: str) -> dict[str, str]:
    """Give the variables of a process that works on the test's database, at the test's moment if the clock stands."""
    stands = settings.CRO_NOW if settings.DEBUG else None
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.processes",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "",  # set in this process by the fixture of the browser
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "TEST_NOW": stands.isoformat() if stands else "",
        **more,
    }


def _hears_interrupts() -> None:
    """In the child: Ctrl-C counts, also where the tests run in the background, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Process:
    """A management command in a process group of its own, with its log in a file.

    Standard output goes there too, unless it goes to the file descriptor `output`.
    """

    def __init__(
        self,
        *arguments: str,
        settings_module: str = "tests.processes",
        output: int | None = None,
        **environment: str,
    ) -> None:
        self._log = tempfile.NamedTemporaryFile(prefix="process-", suffix=".log")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=environment_here(
                **{"DJANGO_SETTINGS_MODULE": settings_module, "PYTHONUNBUFFERED": "1", **environment}
            ),
            stdout=self._log if output is None else output,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=_hears_interrupts,
        )

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it, and whatever it started, without a chance to do anything."""
        self.signal(signal.SIGKILL)
        self.process.wait(20)

    def stop(self, seconds: float = 30.0) -> int:
        """End it in order; gives the exit status."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not stopped within {seconds} s:\n{self.log}") from None
        finally:
            self.signal(signal.SIGKILL)

    def memory(self) -> int:
        """Bytes of resident memory of the process and its children."""
        return int(self._sum(lambda process: process.memory_info().rss))

    def busy(self) -> float:
        """Seconds for which the processor was at the process and its children so far."""
        return self._sum(lambda process: sum(process.cpu_times()[:2]))

    def _sum(self, measure: Callable[[psutil.Process], float]) -> float:
        """The sum of what `measure` says of the process and of each of its children."""
        total = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            for process in [main, *main.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += measure(process)
        return total


class Web(Process):
    """`manage.py serve` on a free port; ready when it is constructed."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.port = free_port()
        super().__init__("serve", "--port", str(self.port), *arguments, **environment)
        try:
            wait_for("the web process answering", self._answers, 40)
        except AssertionError as late:
            self.kill()
            raise AssertionError(f"{late}\n{self.log}") from None

    def _answers(self) -> bool:
        assert not self.ended, self.log
        try:
            return peer.post(self.port, b"", path="/health/live", method="GET", timeout=5).status == 200
        except OSError:
            return False


@contextlib.contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Web]:
    web = Web(*arguments, **environment)
    try:
        yield web
    finally:
        web.kill()


@contextlib.contextmanager
def working(*arguments: str, **environment: str) -> Iterator[Process]:
    worker = Process("worker", *arguments, **environment)
    try:
        yield worker
    finally:
        worker.kill()


_PORTS_OF_EACH = 1_000
_FIRST_PORT = 20_000
_remaining_ports: list[int] = []


def free_port() -> int:
    """Give a port that nothing listens on, and that nothing else takes before a process of the test does.

    The system gives the ports from 32768 on to outgoing connections, so one of those may be taken at any moment. Each
    process of the test run has ports of its own below them, and gives each of them once.
    """
    if not _remaining_ports:
        number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        first = _FIRST_PORT + number % 12 * _PORTS_OF_EACH
        _remaining_ports.extend(random.sample(range(first, first + _PORTS_OF_EACH), _PORTS_OF_EACH))
    while True:
        port = _remaining_ports.pop()
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
