"""What every test has: a real PostgreSQL (the embedded one without DATABASE_URL) and no way to the real Stripe."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import translation
from pytest_django.fixtures import Settings

NOWHERE = "http://127.0.0.1:9"  # the discard port: a test that forgets the sandbox fails at once and reaches nobody


@pytest.fixture(autouse=True)
def _same_settings_everywhere(settings: Settings) -> None:
    """Whatever the checkout's own .env says: no Stripe, no exchange rates from the net, cheap passwords."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.STRIPE_OAUTH_PRESET = "stripe_app"
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = NOWHERE
    for mode in ("LIVE", "TEST"):
        for name in ("AUTHORIZE_URL", "CLIENT_ID", "SECRET_KEY", "WEBHOOK_SECRET"):
            setattr(settings, f"STRIPE_{name}_{mode}", "")
        setattr(settings, f"STRIPE_RATE_{mode}", 0)
    settings.STRIPE_RETRY_BASE_SECONDS = 0.01
    settings.PUBLIC_BASE_URL = ""
    settings.FX_FETCH = False
    settings.TIME_ZONE = "UTC"
    settings.DEFAULT_ACCESS = "all"
    settings.BUSINESS_HOURS = "Mon-Fri 9-18"
    settings.WORKSPACE_NAME = ""
    settings.SUPPORT_EMAIL = "help@pivotal.app"


@pytest.fixture(autouse=True)
def _nobody_s_language() -> Iterator[None]:
    """A request leaves its language behind in the thread; the next test begins without one."""
    translation.deactivate()
    yield
    translation.deactivate()


@pytest.fixture
def child_environment(transactional_db: None) -> dict[str, str]:
    """The environment for `manage.py …` as a child process on this test's own database, with no way to Stripe."""
    return environment_of_a_child()


def environment_of_a_child() -> dict[str, str]:
    """The same for a fixture that outlives one test; the test database has to be there."""
    database = connection.settings_dict
    where = f"{database['HOST']}:{database['PORT'] or 5432}" if database["HOST"] else ""
    socket = f"?host={quote(database['OPTIONS']['host'], safe='/')}" if "host" in database["OPTIONS"] else ""
    account = ":".join(quote(part) for part in (database["USER"], database["PASSWORD"]) if part)
    return {
        **os.environ,
        "DEBUG": "true",
        "DATABASE_URL": f"postgresql://{account}@{where}/{database['NAME']}{socket}",
        "PIVOTAL_DIR": str(django_settings.PIVOTAL_DIR),
        "SECRET_KEY": django_settings.SECRET_KEY,
        "FIELD_ENCRYPTION_KEYS": ",".join(django_settings.FIELD_ENCRYPTION_KEYS),
        "REDIS_URL": "",
        "STRIPE_API_BASE": NOWHERE,
        "STRIPE_CONNECT_BASE": NOWHERE,
        "STRIPE_RETRY_BASE_SECONDS": "0.01",
    }


def _missing() -> dict[str, str]:
    """What of the system's own programs is not here, by the mark of the tests that need it, and what to do."""
    browser = django_settings.BROWSER_PATH
    found = {"browser": Path(browser).exists(), "redis": shutil.which("redis-server") is not None}
    advice = {
        "browser": f"no Chromium at {browser} (`make browser` installs it, BROWSER_PATH names another)",
        "redis": "no redis-server (`make redis` installs it)",
    }
    return {mark: advice[mark] for mark, is_there in found.items() if not is_there}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests that need what is not here; in CI they stay and fail."""
    missing = _missing()
    if os.environ.get("CI"):
        return
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in missing)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say it in one line, never silently."""
    for mark, advice in _missing().items():
        terminalreporter.write_line(f"The {mark} tests were left out: {advice}.", yellow=True)
