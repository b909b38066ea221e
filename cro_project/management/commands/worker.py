"""`manage.py worker`: run the background process."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import connection

from common.commands import OperatorCommand
from cro_project.config import environment
from cro_project.processes import process
from cro_project.web import health


class Command(OperatorCommand):
    help = "Handle received messages and deliver responses until stopped by Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--until-idle", action="store_true", help="stop when nothing is left to do")
        parser.add_argument("--concurrency", type=int, default=6, help="jobs at a time (default 6)")
        process.add_parent_option(parser)

    def handle(self, *, until_idle: bool, concurrency: int, with_parent: int | None, **options: Any) -> None:
        if with_parent:
            process.die_with_parent(with_parent)
        environment.require_complete()
        environment.reach_database()
        missing = health.missing_migrations()
        connection.close()
        if missing:
            raise CommandError(missing)
        from uftp.processing import backpressure
        from uftp.worker import main as worker

        backpressure.lower_priority()
        worker.run(until_idle=until_idle, concurrency=concurrency)
