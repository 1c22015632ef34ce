"""Configuration that would fail later is said at the start."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from django.core.checks import run_checks
from pytest_django.fixtures import Settings

from pivotal.checks import workspace


def found(*, deploy: bool = False) -> set[str]:
    """The ids of our own checks that speak up."""
    messages = run_checks(include_deployment_checks=deploy)
    return {str(message.id) for message in messages if str(message.id).startswith("pivotal.")}


def test_the_defaults_are_fine() -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("STRIPE_CLIENT_ID_LIVE", "ca_123", "pivotal.E001"),
        ("STRIPE_SECRET_KEY_TEST", "sk_test_123", "pivotal.E001"),
        ("STRIPE_OAUTH_PRESET", "magic", "pivotal.E002"),
        ("STRIPE_API_BASE", "http://stripe.example.com", "pivotal.E003"),
        ("PUBLIC_BASE_URL", "pivotal.example.com", "pivotal.E003"),
        ("FIELD_ENCRYPTION_KEYS", [Fernet.generate_key().decode(), "short"], "pivotal.E004"),
        ("Q_CLUSTER", {"retry": 60, "timeout": 60, "workers": 2}, "pivotal.E005"),
        ("Q_CLUSTER", {"retry": 180, "timeout": 60, "workers": 1}, "pivotal.E006"),
        ("DEFAULT_ACCESS", "some", "pivotal.E007"),
        ("BUSINESS_HOURS", "always", "pivotal.E008"),
        ("BUSINESS_HOURS", "Mon-Fri 18-9", "pivotal.E008"),
    ],
)
def test_a_value_that_cannot_work_is_an_error(settings: Settings, name: str, value: object, expected: str) -> None:
    setattr(settings, name, value)
    assert expected in found()


@pytest.mark.parametrize("value", ["Mon-Fri 9-18", "Sat 0-24", "Sun-Thu 8-17"])
def test_business_hours_may_be_any_span(settings: Settings, value: str) -> None:
    settings.BUSINESS_HOURS = value
    assert "pivotal.E008" not in found()


def test_a_client_id_with_its_key_is_fine(settings: Settings) -> None:
    settings.STRIPE_CLIENT_ID_LIVE, settings.STRIPE_SECRET_KEY_LIVE = "ca_123", "sk_live_123"
    assert "pivotal.E001" not in found()


def test_a_deployment_without_a_public_address_is_warned(settings: Settings) -> None:
    assert "pivotal.W001" in found(deploy=True)


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc/passwd", "", "Europe"])
def test_what_is_no_time_zone_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    # Django acts on TIME_ZONE when it is set, so it is not set but looked up elsewhere.
    monkeypatch.setattr(
        "pivotal.checks.settings", SimpleNamespace(DEFAULT_ACCESS="all", BUSINESS_HOURS="Sat 0-24", TIME_ZONE=name)
    )
    assert [message.id for message in workspace(None)] == ["pivotal.E009"]
