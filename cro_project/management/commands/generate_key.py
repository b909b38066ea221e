"""`manage.py generate_key`: make a key pair for a CRO."""

from typing import Any

from django.core.management.base import BaseCommand

from uftp.protocol import sealing


class Command(BaseCommand):
    help = "Print a fresh key pair, as lines for `.env`; nothing is stored."

    def handle(self, **options: Any) -> None:
        private_key, public_key = sealing.generate_key()
        self.stdout.write(f"CRO_PRIVATE_KEY={private_key}")
        self.stdout.write(f"CRO_PUBLIC_KEY={public_key}")
