"""`manage.py export_congestion_points`: write congestion points and memberships for import_congestion_points."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.exports.tables import NobodyFound, export_congestion_points
from registry.management.exports import ExportCommand


class Command(ExportCommand):
    help = (
        "Write the congestion points of all DSOs as CSV, a line for each of their connections;"
        " import_congestion_points takes it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dso", metavar="DOMAIN", help="only those of this DSO")
        self.add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pieces = export_congestion_points(options["dso"])
        except NobodyFound as error:
            raise CommandError(str(error)) from None
        self.write(pieces, options["output"])
