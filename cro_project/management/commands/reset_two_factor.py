"""`manage.py reset_two_factor`: delete the second factor of a member of staff who has lost it."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from common.commands import OperatorCommand
from cro_project.login import two_factor
from participants import audit
from participants.registration import error_in_one_line


class Command(OperatorCommand):
    help = (
        "Delete the second factor of USERNAME, who has lost it. They then log in with the password alone, or set up "
        "another one at log-in if TWO_FACTOR_REQUIRED is on. Their sessions end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--reason", required=True, help="why; kept in the audit trail")

    def handle(self, *args: Any, username: str, reason: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"there is no user {username!r}")
        try:
            two_factor.turn_off(user, actor=audit.command_actor(), reason=reason)
        except ValidationError as impossible:
            raise CommandError(error_in_one_line(impossible)) from None
        self.stdout.write(f"The second factor of {username} is reset.")
