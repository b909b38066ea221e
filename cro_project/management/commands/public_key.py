"""`manage.py public_key`: print the key of this CRO, which participants configure or find in DNS."""

from typing import Any

from common.commands import OperatorCommand
from cro_project.config import environment
from participants import keys
from uftp.protocol import sealing


class Command(OperatorCommand):
    help = "Print this CRO's own public key, alone on a line."

    def handle(self, **options: Any) -> None:
        self.stdout.write(keys.format_public_key(sealing.public_key(environment.signing_key())))
