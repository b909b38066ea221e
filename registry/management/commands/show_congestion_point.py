"""`manage.py show_congestion_point DSO ADDRESS`: show terms and connections, as known now or at a past moment."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.management import output
from registry.models import CongestionPoint
from registry.queries.snapshots import show_congestion_point


class Command(output.PrintingCommand):
    help = "Show the terms of a DSO's congestion point and the connections behind it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dso", help="domain of the DSO")
        parser.add_argument("address", help="entity address of the congestion point")
        self.add_time_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = show_congestion_point(
                options["dso"], options["address"], on=options["on"], known_at=options["known_at"]
            )
        except CongestionPoint.DoesNotExist:
            raise CommandError(
                f"DSO {options['dso']!r} has never registered a congestion point {options['address']!r}."
            ) from None
        self.print_result(result, as_json=options["json"])
