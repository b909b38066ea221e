"""`manage.py set_policy NAME VALUE`: set a policy."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from common import clock
from common.commands import OperatorCommand
from participants import audit
from registry.market.policies import POLICIES, UnknownPolicy, in_force, set_policy


class Command(OperatorCommand):
    help = (
        "Set a policy for messages that are received from now on."
        " Without arguments: list the policies and their values."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", nargs="?", help=", ".join(POLICIES))
        parser.add_argument("value", nargs="?")
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["name"] is None:
            policies = in_force()
            for policy in POLICIES.values():
                values = " | ".join(policy.values) or "a whole number of days"
                self.stdout.write(
                    f"{policy.name}: {policies[policy.name]}   ({policy.description}: {values})"
                )
            return
        if options["value"] is None:
            raise CommandError("Give a value: set_policy NAME VALUE.")
        try:
            name, value = set_policy(
                options["name"],
                options["value"],
                actor=audit.command_actor(),
                reason=options["reason"],
                now=clock.now(),
            )
        except UnknownPolicy as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{name}: {value}")
