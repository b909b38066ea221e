"""`manage.py generate_key`: make a key pair for a CRO."""

from typing import Any

from common.commands import OperatorCommand
from uftp.protocol import sealing

EXPLANATION = (
    "This is a key pair for this CRO, and for no participant. Put the private key into .env, or into the file that"
    " CRO_PRIVATE_KEY_FILE names, and show it to nobody. Participants configure the public key; manage.py public_key"
    " prints it too."
)
"""What the keys are for. It goes to standard error, so that standard output has the two lines only."""


class Command(OperatorCommand):
    help = "Print a fresh key pair for this CRO, as lines for `.env`; nothing is stored."

    def handle(self, **options: Any) -> None:
        private_key, public_key = sealing.generate_key()
        self.stdout.write(f"CRO_PRIVATE_KEY={private_key}")
        self.stdout.write(f"CRO_PUBLIC_KEY={public_key}")
        self.stderr.write(EXPLANATION, lambda text: text)
