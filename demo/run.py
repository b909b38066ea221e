"""Run a DSO and an AGR against a running CRO: all five use cases and TestMessages, in 3.0.0 and 3.1.0.

Run it beside the CRO, with the same environment, `.env` and database: the two participants are registered
with `manage.py add_participant`. If anything is not as
expected, it ends with an error that names the difference. It withdraws what it published, so it can run again.
"""

import os
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured


def main() -> int:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
    try:
        django.setup()
    except ImproperlyConfigured as wrong:
        print(wrong, file=sys.stderr)
        return 1
    from demo.story import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
