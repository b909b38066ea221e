"""The WSGI application, for `manage.py serve` and for any other WSGI server."""

import os

from django.core.wsgi import get_wsgi_application

from cro_project.config.environment import require_complete

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
require_complete()

application = get_wsgi_application()
