"""`manage.py show_connection ADDRESS`: show who claims a connection, as known now or at a past moment."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.management import output
from registry.models import Connection
from registry.queries import addresses
from registry.queries.snapshots import show_connection

MAX_NAMED = 10
"""At most this many connections are named where a text fits several."""


class Command(output.PrintingCommand):
    help = "Show who represents a connection, and the congestion points that it belongs to."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "address", help="entity address of the connection, with or without ean., or its beginning or end"
        )
        self.add_time_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        typed = options["address"]
        found, more = addresses.find(Connection.objects.all(), typed, MAX_NAMED)
        if not found:
            raise CommandError(f"No connection {typed!r} has ever been registered.")
        if len(found) > 1:
            named = ", ".join(each.address for each in found)
            raise CommandError(f"{typed!r} fits {named}{' and others' if more else ''}; give one of them.")
        result = show_connection(found[0].address, on=options["on"], known_at=options["known_at"])
        self.print_result(result, as_json=options["json"])
