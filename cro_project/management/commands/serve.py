"""`manage.py serve`: run the web server."""

import logging
import os
import resource
import signal
from functools import partial
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from common.commands import OperatorCommand
from cro_project.config import environment
from cro_project.processes import process

logger = logging.getLogger(__name__)

THREADS = 8
"""How many requests one process works on in Python at a time. Others wait."""

CONNECTIONS = 5_000
"""How many open connections one process has at most. An idle one takes about 10 kB and no thread."""

SECONDS_IDLE = 75
"""Seconds until an idle connection is closed. Proxies usually close theirs earlier, and so never use a closed one."""

SECONDS_TO_FINISH = 30


def load(parent: int, target: str) -> Any:
    """Load the WSGI application in a web process. The process ends when its parent, `parent`, ends."""
    # A forked process has the signal handlers of its parent, and would ignore a signal that comes before it serves.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    process.die_with_parent(parent)
    process.end_after_parent(parent, SECONDS_TO_FINISH)
    from cro_project.wsgi import application

    return application


def is_not_thread_advice(record: logging.LogRecord) -> bool:
    """Return whether the line is not the advice of the server to use fewer threads.

    Our threads mostly wait for a commit, so many of them do no harm.
    """
    return "Python threads" not in record.getMessage()


LOGGING = {
    "filters": {"no_advice": {"()": lambda: is_not_thread_advice}},
    # Through the root logger, so that its lines have the form of all others and go to standard error.
    "loggers": {"_granian": {"handlers": [], "filters": ["no_advice"], "propagate": True}},
}


class Command(OperatorCommand):
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
        # Loaded before the processes fork: they share its memory, and are ready at once.
        logger.info("Started: serving on %s:%d with %d processes.", host, port, workers)
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
        logger.info("Stopped serving on %s:%d.", host, port)


def _connections() -> int:
    """Return CONNECTIONS, or fewer if the system limits open files to less. Raise that limit first."""
    spare = 200
    allowed, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + spare
    if allowed != resource.RLIM_INFINITY and allowed < wanted:
        allowed = wanted if at_most == resource.RLIM_INFINITY else min(wanted, at_most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, at_most))
    return CONNECTIONS if allowed == resource.RLIM_INFINITY else max(spare, min(allowed - spare, CONNECTIONS))
