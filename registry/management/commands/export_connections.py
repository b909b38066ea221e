"""`manage.py export_connections`: write representations as a file for import_connections."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.exports.tables import NoParticipantFound, export_connections
from registry.management.exports import ExportCommand


class Command(ExportCommand):
    help = "Write the connections that AGRs claim to represent as CSV. import_connections reads the file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--agr", metavar="DOMAIN", help="only the connections of this AGR")
        self.add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pieces = export_connections(options["agr"])
        except NoParticipantFound as error:
            raise CommandError(str(error)) from None
        self.write(pieces, options["output"])
        self.warn_of_left_out()
