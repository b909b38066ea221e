"""`manage.py export_participants`: write participants and their keys as a file for import_participants."""

from typing import Any

from django.core.management.base import CommandParser

from common import clock
from registry.exports.tables import export_participants
from registry.management.exports import ExportCommand


class Command(ExportCommand):
    help = "Write every participant as CSV, with its keys that have not ended. import_participants reads the file."

    def add_arguments(self, parser: CommandParser) -> None:
        self.add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.write(export_participants(clock.now()), options["output"])
