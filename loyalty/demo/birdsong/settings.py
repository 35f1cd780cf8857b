"""Birdsong's settings. It takes what it needs from Laurel's environment, and shares nothing else with it."""

import os
from urllib.parse import urlsplit

import environ

from loyalty import embedded
from loyalty.demo.birdsong import CLIENT_ID, client_secret

LAUREL_KEY = os.environ["SECRET_KEY"]
# Where Laurel is, and so where people are sent back to.
LAUREL_SITE_URL = os.environ.get("LAUREL_SITE_URL", "http://localhost:8000")
BIRDSONG_URL = os.environ["LAUREL_BIRDSONG_URL"]
HOME = embedded.default_home()
CLIENT = (CLIENT_ID, client_secret(LAUREL_KEY))

SECRET_KEY = client_secret(f"birdsong {LAUREL_KEY}")
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
CSRF_TRUSTED_ORIGINS = [BIRDSONG_URL]
ROOT_URLCONF = "loyalty.demo.birdsong.site"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "Europe/London"

INSTALLED_APPS = [
    "loyalty.demo.birdsong",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "allauth",
    "allauth.account",
    "allauth.idp.oidc",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
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

# Beside Laurel's database, on the same server.
DATABASES = {"default": environ.Env.db_url_config(os.environ["DATABASE_URL"])}
DATABASE = os.environ.get("BIRDSONG_DATABASE", "birdsong")
LAUREL_DATABASE = DATABASES["default"]["NAME"]
DATABASES["default"] |= {"NAME": DATABASE, "CONN_MAX_AGE": 60}

# One process: what it remembers for a minute, such as codes, need not outlive it.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Browsers send cookies to every port of a host.
SESSION_COOKIE_NAME = "birdsong"
CSRF_COOKIE_NAME = "birdsong_csrf"
SECURE_REFERRER_POLICY = "same-origin"

# What is checked each time that Laurel asks who somebody is.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
IDP_OIDC_ADAPTER = "loyalty.demo.birdsong.provider.Provider"
IDP_OIDC_AUTHORIZATION_CODE_EXPIRES_IN = int(os.environ.get("BIRDSONG_CODE_SECONDS", "60"))
KEY_FILE = HOME / "birdsong.pem"

CALLBACK = "/accounts/oidc/birdsong/login/callback/"
# A loopback address is good for any port of this machine.
CALLBACKS = [f"{LAUREL_SITE_URL.rstrip('/')}{CALLBACK}", f"http://127.0.0.1{CALLBACK}"]
PORT = urlsplit(BIRDSONG_URL).port or 80

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"output": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["output"], "level": "WARNING"},
}
