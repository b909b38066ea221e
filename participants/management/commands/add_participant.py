"""`manage.py add_participant`: register a participant, or change one."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from common import clock
from common.commands import OperatorCommand
from common.display import PLACEHOLDER
from participants import audit
from participants.discovery import endpoint_in_words
from participants.models import ParticipantStanding, Role
from participants.registration import add_or_update_participant, error_in_one_line


class Command(OperatorCommand):
    help = "Add a participant, or change the one with this role and domain. Values that are not given stay unchanged."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--domain", required=True, help="such as agr.example")
        parser.add_argument(
            "--public-key",
            help="cs1.… as the participant publishes it, or bare Base64 of 32 bytes; added if new",
        )
        parser.add_argument(
            "--replace-keys",
            action="store_true",
            help="end its other keys at once; otherwise they stay valid",
        )
        parser.add_argument("--endpoint", help="URL that messages to it are posted to")
        parser.add_argument("--name")
        parser.add_argument(
            "--standing", choices=ParticipantStanding.values, help="authorized for one that is added"
        )
        parser.add_argument("--reason", default="", help="why, for the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            participant, added = add_or_update_participant(
                role=options["role"],
                domain=options["domain"],
                public_key=options["public_key"],
                replace_keys=options["replace_keys"],
                endpoint=options["endpoint"],
                name=options["name"],
                standing=options["standing"],
                reason=options["reason"] or PLACEHOLDER,
                actor=audit.command_actor(),
                now=now,
            )
        except ValidationError as error:
            raise CommandError(error_in_one_line(error)) from None
        keys = participant.keys.valid_at(now).count()
        self.stdout.write(
            f"{participant} {'added' if added else 'updated'}: {participant.standing}, "
            f"{keys} valid {'key' if keys == 1 else 'keys'}, "
            f"endpoint {endpoint_in_words(participant.endpoint)}"
        )
        for missing, option in [(not keys, "--public-key"), (not participant.endpoint, "--endpoint")]:
            if missing:
                self.stderr.write(f"Give {option} as well, unless it publishes that and DISCOVERY_DNS is on.")
