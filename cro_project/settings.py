"""The settings. Those of an operator are read from the environment or `.env` (docs/settings.md)."""

from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from common.outages import shorten_outage
from cro_project.config import environment
from cro_project.config.environment import boolean, setting, whole_number
from cro_project.config.hosts import hosts
from cro_project.web.plain import drop_trace_of_refusal, is_not_logged_elsewhere

# Django's classes then take type parameters at run time too: ModelAdmin[Participant].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
environment.read_file(BASE_DIR / ".env")

DEBUG = setting("DEBUG", False, boolean)
SECRET_KEY = setting("SECRET_KEY", "", environment.secret)
ALLOWED_HOSTS = setting("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], hosts)


CRO_DOMAIN = setting("CRO_DOMAIN", "cro.example", environment.domain)
CRO_SIGNING_KEY = setting("CRO_PRIVATE_KEY", None, environment.signing_seed)
if (_seed := setting("CRO_PRIVATE_KEY_FILE", None, environment.signing_seed_in_file)) is not None:
    if CRO_SIGNING_KEY is not None:
        raise ImproperlyConfigured("CRO_PRIVATE_KEY_FILE: CRO_PRIVATE_KEY is set as well; set one of the two")
    CRO_SIGNING_KEY = _seed
CRO_NOW = setting("CRO_NOW", None, environment.moment)
if CRO_NOW and not DEBUG:
    raise ImproperlyConfigured(
        "CRO_NOW: the clock may stand in tests only; unset it, or set DEBUG=true as well"
    )
SITE_URL = setting("SITE_URL", f"https://{CRO_DOMAIN}", environment.site)

EMAIL_HOST = setting("EMAIL_HOST", "", str)
EMAIL_PORT = setting("EMAIL_PORT", 25, whole_number(1, 65_535))
EMAIL_HOST_USER = setting("EMAIL_HOST_USER", "", str)
EMAIL_HOST_PASSWORD = setting("EMAIL_HOST_PASSWORD", "", str)
EMAIL_USE_TLS = setting("EMAIL_USE_TLS", False, boolean)
EMAIL_USE_SSL = setting("EMAIL_USE_SSL", False, boolean)
EMAIL_TIMEOUT = setting("EMAIL_TIMEOUT", 10, whole_number(1, 60))
DEFAULT_FROM_EMAIL = setting("EMAIL_FROM", f"cro@{CRO_DOMAIN}", environment.email)
if EMAIL_USE_TLS and EMAIL_USE_SSL:
    raise ImproperlyConfigured("EMAIL_USE_SSL: EMAIL_USE_TLS is set as well; set one of the two")

PORT = setting("PORT", 8_000, whole_number(1, 65_535))
TRUSTED_PROXIES: list[str] = setting("TRUSTED_PROXIES", [], environment.addresses)
HTTPS_ONLY = setting("HTTPS_ONLY", False, boolean)
TWO_FACTOR_REQUIRED = setting("TWO_FACTOR_REQUIRED", False, boolean)
UFTP_MAX_MESSAGE_BYTES = setting("UFTP_MAX_MESSAGE_BYTES", 33_554_432, whole_number(1_024, 2_147_483_647))
UFTP_ACCEPT_APPLICATION_XML = setting("UFTP_ACCEPT_APPLICATION_XML", True, boolean)
UFTP_ALLOW_PRIVATE_ENDPOINTS = setting("UFTP_ALLOW_PRIVATE_ENDPOINTS", False, boolean)
UFTP_REQUESTS_PER_MINUTE = setting("UFTP_REQUESTS_PER_MINUTE", 6_000, whole_number(1, 10_000_000))
IMPORT_UPLOAD_MAX_BYTES = setting("IMPORT_UPLOAD_MAX_BYTES", 25_000_000, whole_number(1_024, 100_000_000))
DISCOVERY_DNS = setting("DISCOVERY_DNS", False, boolean)
DISCOVERY_MAX_PARTICIPANTS = setting("DISCOVERY_MAX_PARTICIPANTS", 1_000, whole_number(0, 100_000))
DELIVERY_TIMEOUT = setting("DELIVERY_TIMEOUT", 30, whole_number(1, 600))
OUTBOUND_PROXY = setting("OUTBOUND_PROXY", "", environment.proxy)
CREDENTIALS_KEY: list[str] = setting("CREDENTIALS_KEY", [], environment.encryption_keys)
DELIVERY_RETRY_HOURS = setting("DELIVERY_RETRY_HOURS", 24, whole_number(1, 720))

INSTALLED_APPS = [
    "cro_project.apps.CROAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "axes",
    "guardian",
    "csp",
    "participants",
    "uftp",
    "registry",
    "reservations",
    "cro_project.apps.CROProjectConfig",
]

MIDDLEWARE = [
    "cro_project.web.client_address.behind_trusted_proxies",
    "cro_project.config.hosts.refuse_unknown_hosts",
    "uftp.receiving.middleware.message_endpoint_first",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "cro_project.web.body_limit.limit_anonymous_bodies",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "registry.market.middleware.in_market_time",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "cro_project.urls"
WSGI_APPLICATION = "cro_project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

_database = setting("DATABASE_URL", environment.embedded_database(BASE_DIR), environment.database)
DATABASES = {
    "default": {
        **_database,
        # Lets common.sql have its statements prepared; Django's own are not.
        "OPTIONS": {"prepare_threshold": 5, **_database.get("OPTIONS", {})},
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }
}
# The counts of requests by address (uftp.receiving.throttling) are in it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "cro_project.login.two_factor.SecondFactorBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 10
AXES_CLIENT_IP_CALLABLE = "cro_project.web.client_address.for_log_in_lock"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "cro_project.login.lockout.page"
AXES_SENSITIVE_PARAMETERS = ["code"]
AXES_ENABLE_ADMIN = False
OTP_TOTP_ISSUER = CRO_DOMAIN
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# A view of REST framework states what it needs; nothing comes from the framework's defaults.
REST_FRAMEWORK: dict[str, object] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "rest_framework.negotiation.BaseContentNegotiation",
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": [],
    "DEFAULT_THROTTLE_CLASSES": [],
    "FORMAT_SUFFIX_KWARG": None,
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}

LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["cro_project.formats"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_REDIRECT_EXEMPT = [r"^(shapeshifter|health)(/|$)"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
# `check --deploy` asks for HSTS of all subdomains and for preloading. The operator's other hosts are not ours.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SESSION_COOKIE_AGE = 12 * 3_600
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
CSRF_FAILURE_VIEW = "cro_project.console.error_pages.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {
        "not_logged_elsewhere": {"()": lambda: is_not_logged_elsewhere},
        "no_trace_of_refusal": {"()": lambda: drop_trace_of_refusal},
        "no_trace_of_outage": {"()": lambda: shorten_outage},
    },
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["no_trace_of_refusal", "no_trace_of_outage"],
        }
    },
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.request": {"filters": ["not_logged_elsewhere"]},
        "django.server": {"handlers": [], "propagate": True},
        # It writes user names as they were typed, which may be passwords: cro_project/login/log.py writes instead.
        "axes": {"level": "ERROR"},
        "procrastinate": {"level": "WARNING"},
        # A warning for each attempt to connect. Whoever needs the connection logs that there is none.
        "psycopg.pool": {"level": "ERROR"},
    },
}
