"""`manage.py set_mode open|closed`: set who may act."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from common.commands import OperatorCommand
from common.display import PLACEHOLDER
from participants import audit
from participants.models import Mode
from participants.registration import error_in_one_line, set_mode


class Command(OperatorCommand):
    help = "Open the CRO to every participant whose key is known, or close it to all but the authorized ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("mode", choices=[Mode.OPEN, Mode.CLOSED])
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            set_mode(options["mode"], actor=audit.command_actor(), reason=options["reason"] or PLACEHOLDER)
        except ValidationError as error:
            raise CommandError(error_in_one_line(error)) from None
        self.stdout.write(f"The CRO is {options['mode']}.")
