"""All settings, read from the environment. ``docs/settings.md`` lists the variables.

A process with a variable missing or wrong does not start, and says which. ``manage.py`` fills in what somebody who
tries Laurel out did not set.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django_stubs_ext
import environ
import structlog
from django.core.exceptions import ImproperlyConfigured

from accounts import networks
from loyalty import csp, embedded
from loyalty.demo import birdsong

# Django's generic classes take their type arguments at run time too: ModelAdmin[Brand].
django_stubs_ext.monkeypatch()

env = environ.Env()
TREE = embedded.TREE


def required(name: str, what: str) -> str:
    """The value of a variable that has no default."""
    value: str = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"Set {name} to {what}.")
    return value


# --- Laurel

# Whether this is somebody trying Laurel out: a demo brand with known log-ins, and mail that goes nowhere.
LAUREL_DEMO: bool = env.bool("LAUREL_DEMO", default=False)
LAUREL_HOME = embedded.default_home()
LAUREL_SITE_URL = (
    env.str("LAUREL_SITE_URL", default="http://localhost:8000")
    if LAUREL_DEMO
    else required(
        "LAUREL_SITE_URL",
        "the address people reach the site at, such as https://loyalty.example.org",
    )
).rstrip("/")
site = urlsplit(LAUREL_SITE_URL)
if site.scheme not in {"http", "https"} or not site.hostname:
    raise ImproperlyConfigured(
        f"LAUREL_SITE_URL must begin with https:// or http://, and is {LAUREL_SITE_URL!r}."
    )
is_https = site.scheme == "https"

# Whether staff must give a second step when they sign in. The log-ins of a demo have none.
LAUREL_STAFF_SECOND_FACTOR: bool = env.bool("LAUREL_STAFF_SECOND_FACTOR", default=not LAUREL_DEMO)

# Before every key that Laurel itself keeps in Redis.
LAUREL_REDIS_PREFIX: str = env.str("LAUREL_REDIS_PREFIX", default="laurel:")
# How many open pages one web process tells of new scores; further ones ask every few seconds.
LAUREL_STREAMS: int = env.int("LAUREL_STREAMS", default=5000)

# --- Django

SECRET_KEY = required("SECRET_KEY", "a long random text that nobody else knows")
# Former ones: what they signed and sealed can still be read.
SECRET_KEY_FALLBACKS: list[str] = env.list("SECRET_KEY_FALLBACKS", default=[])
DEBUG: bool = env.bool("LAUREL_DEBUG", default=False)
ALLOWED_HOSTS = [
    "localhost",
    "127.0.0.1",
    "[::1]",
    site.hostname,
    *env.list("LAUREL_ALLOWED_HOSTS", default=[]),
]
CSRF_TRUSTED_ORIGINS = [f"{site.scheme}://{site.netloc}"]
ROOT_URLCONF = "loyalty.urls"
AUTH_USER_MODEL = "accounts.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Networks by which accounts are linked

try:
    LAUREL_NETWORKS = networks.networks_of(os.environ)
except networks.NetworkError as error:
    raise ImproperlyConfigured(f"{error}") from None
# Where the demo's own network is; `manage.py up` starts it and says so.
LAUREL_BIRDSONG_URL: str = env.str("LAUREL_BIRDSONG_URL", default="")
if LAUREL_BIRDSONG_URL and not LAUREL_DEMO:
    raise ImproperlyConfigured("LAUREL_BIRDSONG_URL is for the demo: take it away.")
if LAUREL_BIRDSONG_URL:
    LAUREL_NETWORKS["birdsong"] = networks.birdsong(
        url=LAUREL_BIRDSONG_URL,
        client_id=birdsong.CLIENT_ID,
        secret=birdsong.client_secret(SECRET_KEY),
    )

INSTALLED_APPS = [
    "loyalty",
    "scoring",
    "accounts",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    *networks.allauth_apps(LAUREL_NETWORKS),
    "allauth.usersessions",
    "csp",
    "django_filters",
    "pgtrigger",
    "rest_framework",
    "rules",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # of varying length, so that no secret shows in it
    "loyalty.csp.PolicyMiddleware",
    "loyalty.walled.WallMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "loyalty.pages.reader.LanguageMiddleware",
    "loyalty.pages.security.SeenMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "loyalty.pages.leaving.LeavingMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [TREE / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "loyalty.pages.frame.brand_at_the_door",
                "loyalty.pages.reader.theme",
            ],
        },
    },
]

# --- PostgreSQL

DATABASES: dict[str, dict[str, Any]] = {
    "default": environ.Env.db_url_config(
        required(
            "DATABASE_URL",
            "the address of a PostgreSQL database, such as postgres://user:password@host:5432/name",
        )
    )
}
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    raise ImproperlyConfigured(
        "DATABASE_URL must begin with postgres://: Laurel runs on PostgreSQL only."
    )
# No pool: pages run in long-lived threads and tasks in long-lived processes, each with a connection of its own.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DATABASES["default"]["OPTIONS"] = {
    "application_name": "laurel",
    "connect_timeout": 5,
    **DATABASES["default"].get("OPTIONS", {}),
}

# --- Redis: cache, Celery's broker, ranks and live pages

REDIS_URL = required("REDIS_URL", "the address of a Redis server, such as redis://host:6379/0")


def broker_url(url: str) -> str:
    """A Redis URL as Celery spells it: Unix sockets are written otherwise there."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{LAUREL_REDIS_PREFIX}cache",
    },
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

# --- Celery

CELERY_BROKER_URL = broker_url(REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"{LAUREL_REDIS_PREFIX}celery:",
    "visibility_timeout": 3600,
    # A task whose worker was killed is found again within half a minute.
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 3,
    "socket_keepalive": True,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_POOL_LIMIT = 10
# Publishing must not hold up a page for long: whatever was not rung for, the sweep finds.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_max": 0.2}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_TIME_LIMIT = (
    600  # well under the visibility timeout: a task in work is not given to somebody else
)
CELERY_TASK_SOFT_TIME_LIMIT = 540
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_DB_REUSE_MAX = 1_000_000  # connections end by CONN_MAX_AGE, not after each task
CELERY_TIMEZONE = "UTC"
# All may run twice or late: what they do depends on what is due, never on when they are called.
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "loyalty.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "roll": {"task": "loyalty.tasks.roll", "schedule": 900.0, "options": {"expires": 900}},
    "close_boards": {
        "task": "loyalty.tasks.close_boards",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "forget_sessions": {
        "task": "loyalty.tasks.forget_sessions",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "forget_unproven_logins": {
        "task": "loyalty.tasks.forget_unproven_logins",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}

# --- Signing in

AUTHENTICATION_BACKENDS = [
    "rules.permissions.ObjectPermissionBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"

ACCOUNT_ADAPTER = "loyalty.pages.door.DoorAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*"]
ACCOUNT_FORMS = {
    "login": "loyalty.pages.join.SignInForm",
    "request_login_code": "loyalty.pages.join.CodeForm",
    "confirm_login_code": "loyalty.pages.door_forms.LoginCodeForm",
    "confirm_email_verification_code": "loyalty.pages.door_forms.AddressCodeForm",
    "confirm_password_reset_code": "loyalty.pages.door_forms.ResetCodeForm",
    "reauthenticate": "loyalty.pages.door_forms.OwnPasswordForm",
    "change_password": "loyalty.pages.door_forms.NewPasswordForm",
    "set_password": "loyalty.pages.door_forms.FirstPasswordForm",
    "reset_password": "loyalty.pages.door_forms.ForgottenPasswordForm",
    "reset_password_from_key": "loyalty.pages.door_forms.ReplacedPasswordForm",
    "add_email": "loyalty.pages.door_forms.AnotherAddressForm",
}
# Every wrong guess at a password, a code or a second step is counted under what it is a guess at: the sixth is refused.
# The count by network address is for those who try one guess at each of many people.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "30/m/ip,5/10m/key",
    "request_login_code": "20/m/ip,3/m/key,12/h/key",
    "reset_password": "20/m/ip,3/m/key,12/h/key",
    "confirm_email": "1/10s/key,12/h/key",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "manage_email": "10/m/user",
}
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_LOGIN_BY_CODE_SUPPORTS_RESEND = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED = True
ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT = 15 * 60
# A code outlives the guesses at it that are allowed, so that the limit above is what answers.
ACCOUNT_LOGIN_BY_CODE_MAX_ATTEMPTS = 6
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 6
ACCOUNT_PASSWORD_RESET_BY_CODE_MAX_ATTEMPTS = 6
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 15 * 60
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = site.scheme

MFA_ADAPTER = "loyalty.second_factor.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "loyalty.pages.door_forms.SecondStepForm",
    "reauthenticate": "loyalty.pages.door_forms.SecondStepAgainForm",
    "activate_totp": "loyalty.pages.door_forms.FirstCodeForm",
    "add_webauthn": "loyalty.pages.door_forms.PasskeyForm",
    "edit_webauthn": "loyalty.pages.door_forms.PasskeyNameForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Laurel"
MFA_TOTP_TOLERANCE = 1
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not is_https  # browsers allow it on localhost only

SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_PROVIDERS = networks.allauth_providers(LAUREL_NETWORKS)
# An e-mail address that a provider tells us never signs in to, or joins with, an account that exists.
SOCIALACCOUNT_EMAIL_AUTHENTICATION = False
SOCIALACCOUNT_QUERY_EMAIL = False
SOCIALACCOUNT_FORMS = {"disconnect": "loyalty.pages.linked.DisconnectForm"}
SOCIALACCOUNT_LOGIN_ON_GET = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5
SOCIALACCOUNT_STORE_TOKENS = False

# --- Security

CONTENT_SECURITY_POLICY = {"DIRECTIVES": csp.STRICT}
SECURE_SSL_REDIRECT = is_https
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if is_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = is_https
SECURE_HSTS_PRELOAD = is_https
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = is_https
SESSION_COOKIE_NAME = "__Host-laurel" if is_https else "laurel"
CSRF_COOKIE_SECURE = is_https
CSRF_COOKIE_NAME = "__Host-laurel_csrf" if is_https else "laurel_csrf"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
# No form of ours has more than one.
DATA_UPLOAD_MAX_NUMBER_FILES = 4
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "loyalty.intake.photos.Ceiling",
]
# What people hand in is for the process that serves it, and for nobody else on the machine.
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# --- API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
}

# --- Languages and time

USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# Each named in itself. British English has no words of its own, only its dates and hours: browsers ask for it.
LANGUAGES = [("en", "English"), ("en-gb", "British English"), ("de", "Deutsch")]
LOCALE_PATHS = [TREE / "locale"]
FORMAT_MODULE_PATH = ["loyalty.formats"]

# --- Files

STATIC_URL = "static/"
# Where files are collected, to be served compressed and under names that browsers may keep. A single command of
# somebody who tries Laurel out takes them as they lie in the tree, and so does whoever works on them.
static_root = env.str(
    "LAUREL_STATIC_ROOT", default="" if LAUREL_DEMO else f"{TREE / 'staticfiles'}"
)
is_collected = bool(static_root) and not DEBUG
STATIC_ROOT = Path(static_root) if is_collected else None
WHITENOISE_USE_FINDERS = not is_collected
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
STATICFILES_DIRS = [TREE / "static"]
MEDIA_URL = "media/"
MEDIA_ROOT = Path(env.str("LAUREL_MEDIA_ROOT", default=str(LAUREL_HOME / "media")))
# How long backups are kept at most: who leaves is told so.
LAUREL_BACKUP_DAYS: int = env.int("LAUREL_BACKUP_DAYS", default=35)
# Who was erased when, beside the database: an older backup of that does not know it.
LAUREL_ERASURES = Path(env.str("LAUREL_ERASURES", default=str(LAUREL_HOME / "erasures.jsonl")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if is_collected
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# --- Mail

EMAIL_FILE_PATH = LAUREL_HOME / "mail"
if LAUREL_DEMO and not env.str("EMAIL_URL", default=""):
    EMAIL_BACKEND = "loyalty.mail.LocalBackend"
else:
    required("EMAIL_URL", "the mail server to send by, such as smtp+tls://user:password@host:587")
    vars().update(env.email_url("EMAIL_URL"))
    EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL: str = env.str("LAUREL_FROM_EMAIL", default=f"Laurel <laurel@{site.hostname}>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Logs

before: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *before,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": before,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(
                    [
                        structlog.dev.ConsoleRenderer(
                            colors=False, exception_formatter=structlog.dev.plain_traceback
                        )
                    ]
                    if LAUREL_DEMO
                    else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
                ),
            ],
        },
    },
    "handlers": {"output": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["output"],
        "level": env.str("LAUREL_LOG_LEVEL", default="WARNING" if LAUREL_DEMO else "INFO"),
    },
    "loggers": {"django": {"handlers": [], "level": "INFO"}},
}

# --- The look of the admin

UNFOLD = {"SITE_TITLE": "Laurel", "SITE_HEADER": "Laurel", "SITE_URL": "/"}
