"""`manage.py show_connection ADDRESS`: show who claims a connection, as known now or at a past moment."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.management import output
from registry.models import Connection
from registry.queries.snapshots import show_connection


class Command(output.PrintingCommand):
    help = "Show who represents a connection, and the congestion points that it belongs to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", help="entity address of the connection")
        self.add_time_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = show_connection(options["address"], on=options["on"], known_at=options["known_at"])
        except Connection.DoesNotExist:
            raise CommandError(f"No connection {options['address']!r} has ever been registered.") from None
        self.print_result(result, as_json=options["json"])
