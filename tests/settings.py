"""The settings the tests run with: every choice fixed here, so that no `.env` changes what they see."""

import base64
import os

os.environ.update(
    SECRET_KEY="only-for-tests-" + "x" * 50,
    ALLOWED_HOSTS="*",
    DEBUG="false",
    CRO_DOMAIN="cro.example",
    CRO_PRIVATE_KEY=base64.b64encode(bytes(range(32))).decode(),
    CRO_PRIVATE_KEY_FILE="",
    CRO_NOW="",
    DISCOVERY_DNS="false",
    TWO_FACTOR_REQUIRED="",
    UFTP_ACCEPT_APPLICATION_XML="",
    UFTP_ALLOW_PRIVATE_ENDPOINTS="true",
    UFTP_MAX_MESSAGE_BYTES="",
    UFTP_REQUESTS_PER_MINUTE="10000000",
    IMPORT_UPLOAD_MAX_BYTES="",
    DELIVERY_TIMEOUT="",
    DELIVERY_RETRY_HOURS="",
    OUTBOUND_PROXY="",
    CREDENTIALS_KEY="",
)

from cro_project.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AXES_ENABLED = False
