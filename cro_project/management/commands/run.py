"""`manage.py run`: run all processes, for a trial. `make run` calls it."""

import os
import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from common.commands import OperatorCommand
from cro_project.config import environment, hosts
from cro_project.processes import first_start, process, supervisor
from participants import keys
from uftp.protocol import sealing

HOST = "127.0.0.1"


class Command(OperatorCommand):
    help = "Set up what is missing, then serve and work until Ctrl-C; for trying and developing."

    def handle(self, **options: Any) -> None:
        if first_start.write_environment(settings.BASE_DIR / ".env"):
            self.stdout.write("Wrote a secret and a CRO key of your own to .env.")
            self.stdout.flush()
            # The settings were read before that file was there: read them again, in the same process.
            os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606
        environment.require_complete()
        if process.port_is_taken(HOST, settings.PORT):
            raise CommandError(
                f"cannot listen on {HOST}:{settings.PORT}: the port is taken. "
                "Stop the process that listens there, or choose another port: make run PORT=8001"
            )
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            environment.reach_database()
            call_command("migrate", verbosity=0, interactive=False)
            password = first_start.create_admin(self._show_log_in)
            stopped_by = supervisor.run(
                {
                    "web": [
                        "serve",
                        "--host",
                        HOST,
                        "--port",
                        str(settings.PORT),
                        f"--with-parent={os.getpid()}",
                    ],
                    "worker": ["worker", f"--with-parent={os.getpid()}"],
                },
                ready_at=f"http://{HOST}:{settings.PORT}/health/ready",
                host=hosts.own_host(settings.ALLOWED_HOSTS),
                when_ready=lambda: self._greet(password),
            )
        except KeyboardInterrupt:
            raise CommandError("stopped before everything had started", returncode=130) from None
        if stopped_by:
            raise CommandError(stopped_by)
        self.stdout.write("Stopped.")

    def _show_log_in(self, password: str) -> None:
        self.stdout.write(
            f"Made the first account of staff. Log in with {first_start.ADMIN} / {password}; "
            "the password is printed at the first start only."
        )
        self.stdout.flush()

    def _greet(self, password: str | None) -> None:
        base = f"http://{HOST}:{settings.PORT}"
        public = keys.format_public_key(sealing.public_key(environment.signing_key()))
        lines = [
            "",
            f"The CRO {settings.CRO_DOMAIN} is ready.",
            f"  Messages     {base}/shapeshifter/api/v3/message",
            f"  Staff        {base}/admin/",
        ]
        if password:
            lines.append(
                f"  Log in with  {first_start.ADMIN} / {password}   (printed at the first start only)"
            )
        lines += [f"  Public key   {public}", "Ctrl-C stops everything; what is stored stays.", ""]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
