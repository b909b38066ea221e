from typing import Any

from django.core.management.base import CommandError

from common.commands import OperatorCommand
from participants.credentials import reencrypt_all
from participants.encryption import EncryptionFailed


class Command(OperatorCommand):
    help = (
        "Encrypt every stored client secret and client key anew, under the first key of CREDENTIALS_KEY. "
        "Afterwards the other keys can be removed."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = reencrypt_all()
        except EncryptionFailed as failure:
            raise CommandError(f"{failure}") from None
        self.stdout.write(
            f"The secrets of {count} participant{'' if count == 1 else 's'} are encrypted anew."
        )
