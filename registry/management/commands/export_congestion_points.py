"""`manage.py export_congestion_points`: write congestion points and memberships for import_congestion_points."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.exports.tables import NoParticipantFound, export_congestion_points
from registry.management.exports import ExportCommand


class Command(ExportCommand):
    help = (
        "Write the congestion points of all DSOs as CSV, one connection a line."
        " import_congestion_points reads the file."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dso", metavar="DOMAIN", help="only the congestion points of this DSO")
        self.add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pieces = export_congestion_points(options["dso"])
        except NoParticipantFound as error:
            raise CommandError(str(error)) from None
        self.write(pieces, options["output"])
        self.warn_of_left_out()
