"""The WSGI application, for `manage.py serve` and for any other WSGI server."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.utils.proxies import wrap_wsgi_with_proxy_headers

from cro_project.config.environment import require_complete

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cro_project.settings")
require_complete()

application = get_wsgi_application()
if settings.TRUSTED_PROXIES:
    application = wrap_wsgi_with_proxy_headers(application, trusted_hosts=settings.TRUSTED_PROXIES)
