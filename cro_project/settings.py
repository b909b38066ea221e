"""The settings. What an operator may set is read here from the environment or `.env`; see docs/settings.md."""

import re
from datetime import datetime
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from cro_project import environment
from cro_project.environment import boolean, setting, whole_number, words

BASE_DIR = Path(__file__).resolve().parent.parent
environment.read_file(BASE_DIR / ".env")

DEBUG = setting("DEBUG", False, boolean)
SECRET_KEY = setting("SECRET_KEY", "", str)
ALLOWED_HOSTS = setting("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], words)


def _domain(text: str) -> str:
    if not re.fullmatch(environment.DOMAIN, text):
        raise ValueError(f"{text!r} is not a domain in lower case; set one such as cro.example")
    return text


def _key_in_file(path: str) -> bytes:
    try:
        return environment.signing_seed(Path(path).read_text().strip())
    except OSError as unreadable:
        raise ValueError(f"cannot read {path}: {unreadable.strerror}; set a readable file") from None


def _signing_key() -> bytes | None:
    from_file = setting("CRO_PRIVATE_KEY_FILE", None, _key_in_file)
    given = setting("CRO_PRIVATE_KEY", None, environment.signing_seed)
    if from_file and given:
        raise ImproperlyConfigured("CRO_PRIVATE_KEY and CRO_PRIVATE_KEY_FILE are both set; set one of them")
    return from_file or given


def _now() -> datetime | None:
    if (stands := setting("CRO_NOW", None, environment.moment)) and not DEBUG:
        raise ImproperlyConfigured("CRO_NOW: is for tests only; unset it, or set DEBUG=true as well")
    return stands


CRO_DOMAIN = setting("CRO_DOMAIN", "cro.example", _domain)
CRO_SIGNING_KEY = _signing_key()
CRO_NOW = _now()
UFTP_MAX_MESSAGE_BYTES = setting("UFTP_MAX_MESSAGE_BYTES", 33_554_432, whole_number(1_024, 2_147_483_647))
UFTP_ALLOW_PRIVATE_ENDPOINTS = setting("UFTP_ALLOW_PRIVATE_ENDPOINTS", False, boolean)
UFTP_REQUESTS_PER_MINUTE = setting("UFTP_REQUESTS_PER_MINUTE", 6_000, whole_number(1, 10_000_000))
DISCOVERY_DNS = setting("DISCOVERY_DNS", False, boolean)
DELIVERY_TIMEOUT = setting("DELIVERY_TIMEOUT", 30, whole_number(1, 600))
DELIVERY_RETRY_HOURS = setting("DELIVERY_RETRY_HOURS", 24, whole_number(1, 720))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "procrastinate.contrib.django",
    "rest_framework",
    "guardian",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "django_otp.plugins.otp_static",
    "rangefilter",
    "csp",
    "participants",
    "uftp",
    "registry",
    "reservations",
    "cro_project",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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

DATABASES = {"default": environ.Env().db_url("DATABASE_URL", default="postgres:///cro")}
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
ANONYMOUS_USER_NAME = None
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAdminUser"],
}
