"""`manage.py serve`: the web process."""

import logging
import os
import resource
import signal
from functools import partial
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from cro_project.config import environment
from cro_project.processes import process

THREADS = 8
"""Requests that one process has Python work on at a time; others wait their turn."""

CONNECTIONS = 5_000
"""Open connections that one process holds; an idle one costs it about 10 kB, and no thread."""

SECONDS_IDLE = 75
"""Longer than what proxies usually keep an idle connection for, so that it is they who close it."""

SECONDS_TO_FINISH = 30


def load(parent: int, target: str) -> Any:
    """Load the WSGI application in a web process that ends with the process `parent`, which started it."""
    # A forked process has its parent's handlers: told to stop before it serves, it would go on.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    process.die_with_parent(parent)
    process.outlive_no_parent(parent, SECONDS_TO_FINISH)
    from cro_project.wsgi import application

    return application


def says_more_than_advice(record: logging.LogRecord) -> bool:
    """Whether the server says anything but that THREADS is many: these mostly wait for a commit, and share it."""
    return "Python threads" not in record.getMessage()


LOGGING = {
    "filters": {"no_advice": {"()": lambda: says_more_than_advice}},
    "loggers": {"_granian": {"handlers": ["console"], "filters": ["no_advice"], "propagate": False}},
}


class Command(BaseCommand):
    help = "Serve the message endpoint and the staff's screens over HTTP until stopped by Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=settings.PORT, help="default: the setting PORT")
        parser.add_argument("--workers", type=int, default=2, help="processes (default 2)")
        process.add_parent_option(parser)

    def handle(self, *, host: str, port: int, workers: int, with_parent: int | None, **options: Any) -> None:
        if with_parent:
            process.die_with_parent(with_parent)
        environment.require_complete()
        if process.port_is_taken(host, port):
            raise CommandError(
                f"cannot listen on {host}:{port}: the port is taken; set PORT or --port to a free one"
            )
        environment.reach_database()
        # Loaded here, it is there at once in each web process, which share its memory.
        import_module("cro_project.wsgi")
        import_module("cro_project.urls")
        Granian(
            "cro_project.wsgi:application",
            address=host,
            port=port,
            interface=Interfaces.WSGI,
            http=HTTPModes.http1,
            workers=workers,
            blocking_threads=THREADS,
            backpressure=_connections(),
            http1_settings=HTTP1Settings(header_read_timeout=SECONDS_IDLE * 1_000),
            websockets=False,
            respawn_failed_workers=True,
            workers_kill_timeout=SECONDS_TO_FINISH,
            log_level=LogLevels.warning,
            log_dictconfig=LOGGING,
            log_access=False,
        ).serve(target_loader=partial(load, os.getpid()))


def _connections() -> int:
    """Return CONNECTIONS, or fewer if the system limits open files to less. Raise that limit first."""
    spare = 200
    allowed, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + spare
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        allowed = wanted if at_most == resource.RLIM_INFINITY else min(wanted, at_most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, at_most))
    return CONNECTIONS if allowed == resource.RLIM_INFINITY else max(spare, min(allowed - spare, CONNECTIONS))
