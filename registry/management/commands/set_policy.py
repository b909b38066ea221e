"""`manage.py set_policy NAME VALUE`: set a policy."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from common import clock
from participants import audit
from registry.market.policies import CHOICES, UnknownPolicy, in_force, set_policy


class Command(BaseCommand):
    help = "Set a policy for what is received from here on. Without arguments: list them with their values."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help=", ".join(CHOICES))
        parser.add_argument("value", nargs="?")
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] is None:
            policies = in_force()
            for choice in CHOICES.values():
                values = " | ".join(choice.values) or "a whole number of days"
                self.stdout.write(f"{choice.name}: {policies[choice.name]}   ({choice.about}: {values})")
            return
        if options["value"] is None:
            raise CommandError("A policy is set to a value: set_policy NAME VALUE.")
        try:
            name, value = set_policy(
                options["name"],
                options["value"],
                actor=audit.command_line(),
                reason=options["reason"],
                now=clock.now(),
            )
        except UnknownPolicy as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{name}: {value}")
