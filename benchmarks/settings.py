"""The settings of the measured processes. They fix all that a `.env` could set, except for the database server."""

import base64
import os

ENVIRONMENT = {
    "SECRET_KEY": "only-for-benchmarks-" + "x" * 50,
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
    "DEBUG": "false",
    "HTTPS_ONLY": "false",
    "TRUSTED_PROXIES": "",
    "CRO_DOMAIN": "cro.example",
    "CRO_PRIVATE_KEY": base64.b64encode(bytes(range(32))).decode(),
    "CRO_PRIVATE_KEY_FILE": "",
    "CRO_NOW": "",
    "DISCOVERY_DNS": "false",
    "TWO_FACTOR_REQUIRED": "",
    "UFTP_ALLOW_PRIVATE_ENDPOINTS": "true",
    "UFTP_MAX_MESSAGE_BYTES": "1000000000",
    "UFTP_REQUESTS_PER_MINUTE": "10000000",
    "DELIVERY_TIMEOUT": "",
    "DELIVERY_RETRY_HOURS": "",
}
os.environ.update(ENVIRONMENT)

from cro_project.settings import *  # noqa: E402, F403
