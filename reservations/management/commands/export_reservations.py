"""`manage.py export_reservations --from D --to D`: export the settlement of reservations as CSV."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from registry.management.exports import ExportCommand
from registry.management.output import add_known_at, day
from registry.market.market import iso_text, market
from reservations.models import Contract
from reservations.settlement.export import NoContractFound, export, is_final, latest_moment, select_contracts


class Command(ExportCommand):
    """Export the settlement of reservations."""

    help = (
        "Write what is contracted, remaining and released, a line for each contract, Period and ISP, as CSV. "
        "The same --known-at writes the same file, whatever becomes known later."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options."""
        parser.add_argument(
            "--from", dest="first", type=day, metavar="DAY", required=True, help="first Period"
        )
        parser.add_argument(
            "--to", dest="last", type=day, metavar="DAY", required=True, help="last Period, inclusive"
        )
        parser.add_argument("--dso", default="", metavar="DOMAIN", help="only contracts with this DSO")
        parser.add_argument("--agr", default="", metavar="DOMAIN", help="only contracts with this AGR")
        parser.add_argument(
            "--contract", default="", metavar="CONTRACTID", help="only contracts of this ContractID"
        )
        add_known_at(parser)
        self.add_output(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the export."""
        first, last, known_at = options["first"], options["last"], options["known_at"]
        if last < first:
            raise CommandError(f"--to {last} is before --from {first}.")
        time_zone = market().time_zone
        if known_at is not None and not is_final(known_at):
            raise CommandError(
                f"--known-at {iso_text(known_at, time_zone)} is still to come: choose a moment up to now."
            )
        try:
            contracts = select_contracts(
                Contract.objects.all(),
                dso=options["dso"],
                agr=options["agr"],
                contract_id=options["contract"],
            )
        except NoContractFound as error:
            raise CommandError(str(error)) from None
        known_at = known_at or latest_moment()
        pieces = export(contracts, first, last, known_at=known_at)
        self.write(pieces, options["output"])
        if known_at is not None:
            self.stderr.write(f"As known at {iso_text(known_at, time_zone)}", lambda text: text)
