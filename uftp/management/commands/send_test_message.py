"""`manage.py send_test_message`: test whether a participant can be reached."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from common import clock
from common.commands import OperatorCommand
from participants import audit
from participants.models import Participant, Role
from uftp.connectivity import send_test_message
from uftp.wakeups import wakeups


class Command(OperatorCommand):
    """The command `send_test_message`."""

    help = "Send a TestMessage to a participant; `list_messages` shows its delivery and the participant's answer."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--domain", required=True, help="such as agr.example")

    def handle(self, *, role: str, domain: str, **options: Any) -> None:
        participant = Participant.objects.filter(role=role, domain=domain.lower()).first()
        if participant is None:
            raise CommandError(
                f"There is no participant {role} {domain}; manage.py add_participant adds one."
            )
        with transaction.atomic():
            sent = send_test_message(participant, clock.now())
            audit.record(
                audit.command_actor(),
                "sent TestMessage",
                str(participant),
                after={"MessageID": sent.message_id},
                reason="connectivity test",
                about=participant,
                participants=[participant],
            )
        wakeups.wake_outbox(participant.role, participant.domain)
        self.stdout.write(f"TestMessage {sent.message_id} in conversation {sent.conversation_id}")
        if not participant.endpoint and not settings.DISCOVERY_DNS:
            self.stderr.write(
                f"{participant} has no endpoint. The message waits until it has one; manage.py add_participant sets it."
            )
