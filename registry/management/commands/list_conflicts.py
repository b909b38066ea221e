"""`manage.py list_conflicts`: list conflicts and the decisions about them."""

from typing import Any

from django.core.management.base import CommandParser

from registry.management import output
from registry.queries.snapshots import list_conflicts


class Command(output.PrintingCommand):
    help = "List conflicts, by number."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--open", action="store_true", help="only open conflicts")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.print_result(list_conflicts(only_open=options["open"]), as_json=options["json"])
