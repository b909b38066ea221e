"""`manage.py settle_conflict ID keep|give|split`: settle an open conflict, or reverse an earlier decision."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common import clock
from common.commands import OperatorCommand
from common.retry import retried
from participants import audit
from registry.changes import Source
from registry.decisions.settle import DecisionError, settle, settle_anew
from registry.management import output
from registry.market.market import market, today_at
from registry.models import Conflict


class Command(OperatorCommand):
    help = (
        "Settle an open conflict: the holder keeps the days, the claimant is given them, or they are split."
        " With --anew: decide a settled conflict again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", type=int, help="number of the conflict, as list_conflicts prints it")
        parser.add_argument("decision", choices=Conflict.Decision.values)
        parser.add_argument(
            "--at",
            type=output.day,
            metavar="DAY",
            help="with split: the first day that the claimant gets",
        )
        parser.add_argument(
            "--anew",
            action="store_true",
            help="decide a settled conflict again; this replaces the earlier decision",
        )
        parser.add_argument("--reason", required=True, help="why; it is kept with the decision")

    def handle(self, *args: Any, **options: Any) -> None:
        source = Source.of_staff(audit.command_actor(), options["reason"])
        today = today_at(clock.now(), market().time_zone)
        decide = settle_anew if options["anew"] else settle
        try:
            retried(
                lambda: decide(
                    options["id"], options["decision"], at=options["at"], source=source, today=today
                )
            )
        except DecisionError as error:
            raise CommandError(str(error)) from None
        done = "decided again" if options["anew"] else "settled"
        self.stdout.write(f"Conflict {options['id']} is {done}: {options['decision']}.")
