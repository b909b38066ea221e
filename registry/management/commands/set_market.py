"""`manage.py set_market`: set the market's time zone and its ISP duration."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common.commands import OperatorCommand
from participants import audit
from registry.market.market import UnknownMarket, set_market


class Command(OperatorCommand):
    help = "Set the market's time zone, its ISP duration, or both."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--time-zone", help="a name of the IANA database, such as Europe/Amsterdam")
        parser.add_argument("--isp-duration", help="such as PT15M")
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["time_zone"] is None and options["isp_duration"] is None:
            raise CommandError("Give --time-zone, --isp-duration or both.")
        try:
            row = set_market(
                time_zone=options["time_zone"],
                isp_duration=options["isp_duration"],
                actor=audit.command_actor(),
                reason=options["reason"],
            )
        except UnknownMarket as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"The market: {row}.")
