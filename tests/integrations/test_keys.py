"""Encryption keys: rotated while everything runs, and a missing one is a clear state, not an accident."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection as database
from django.test import Client
from django.urls import reverse

from integrations import key_rotation
from integrations.errors import IntegrationError
from integrations.fields import EncryptedTextField
from integrations.models import AuditEntry, ConnectionState, StripeConnection
from integrations.stripe.sync import housekeeping, refresh, runs, tokens
from tests.factories import CustomerFactory, OwnerFactory
from tests.integrations.stripe.pages.factories import ConnectionFactory, StripeCustomerFactory

pytestmark = pytest.mark.django_db
OLD, NEW, STRANGE = (Fernet.generate_key().decode() for _ in range(3))


@pytest.fixture(autouse=True)
def _one_key(settings: Any) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]


def stored(name: str = "access_token", mode: str = "live") -> str:
    """What is in the column itself."""
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM integrations_stripeconnection WHERE mode = %s", [mode])  # noqa: S608
        return str(cursor.fetchone()[0])


def opened_by(key: str, ciphertext: str) -> str:
    return Fernet(key).decrypt(ciphertext.encode()).decode()


def test_a_secret_is_never_stored_as_it_is() -> None:
    ConnectionFactory(access_token="rk_live_verysecret")
    assert "verysecret" not in stored()
    assert opened_by(OLD, stored()) == "rk_live_verysecret"


def test_rotation_writes_every_secret_under_the_first_key(settings: Any, capsys: Any) -> None:
    ConnectionFactory(access_token="rk_live_one", webhook_secret="whsec_one")
    ConnectionFactory(mode="test", access_token="rk_test_two")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    call_command("rotate_encryption_keys")
    assert "3 secrets written under the first key, 0 were already, 0 cannot be read" in capsys.readouterr().err
    assert opened_by(NEW, stored()) == "rk_live_one"
    assert opened_by(NEW, stored("webhook_secret")) == "whsec_one"
    assert opened_by(NEW, stored(mode="test")) == "rk_test_two"
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert StripeConnection.objects.get(mode="live").access_token == "rk_live_one"
    assert AuditEntry.objects.get().action == "keys_rotated"


def test_rotating_again_writes_nothing(settings: Any, capsys: Any) -> None:
    ConnectionFactory()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    key_rotation.rotate()
    before = stored()
    call_command("rotate_encryption_keys")
    assert "0 secrets written under the first key, 1 were already" in capsys.readouterr().err
    assert stored() == before


def test_a_dry_run_only_counts(settings: Any) -> None:
    ConnectionFactory()
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert key_rotation.rotate(dry_run=True).rotated == 1
    assert stored() == before


def test_rotation_goes_on_where_it_was_stopped(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ConnectionFactory(mode="live")
    ConnectionFactory(mode="test", access_token="rk_test_two")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    monkeypatch.setattr(key_rotation, "BATCH", 1)
    one = key_rotation.rotate_one
    calls: list[int] = []

    def killed_at_the_second(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        one(*args, **kwargs)

    monkeypatch.setattr(key_rotation, "rotate_one", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        key_rotation.rotate()
    monkeypatch.setattr(key_rotation, "rotate_one", one)
    result = key_rotation.rotate()
    assert (result.rotated, result.current) == (1, 1)


def test_a_token_refreshed_during_the_rotation_stays(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ConnectionFactory(access_token="sk_live_old")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    batches = key_rotation.stored

    def read_and_then_refreshed(*args: Any) -> Any:
        rows = batches(*args)
        StripeConnection.objects.update(access_token="sk_live_refreshed")
        return rows

    monkeypatch.setattr(key_rotation, "stored", read_and_then_refreshed)
    key_rotation.rotate()
    assert StripeConnection.objects.get().access_token == "sk_live_refreshed"


def test_what_no_key_opens_is_counted_and_left_alone(settings: Any) -> None:
    ConnectionFactory()
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    with pytest.raises(CommandError, match="Put the key"):
        call_command("rotate_encryption_keys")
    assert stored() == before


def test_every_encrypted_column_is_rotated() -> None:
    names = {field.name for field in StripeConnection._meta.fields if isinstance(field, EncryptedTextField)}
    assert names == {"access_token", "refresh_token", "webhook_secret", "webhook_secret_next"}
    assert {name for model, name in key_rotation.encrypted_columns() if model is StripeConnection} == names


def test_a_wrong_key_asks_to_connect_again(settings: Any) -> None:
    connection = ConnectionFactory()
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    with pytest.raises(IntegrationError) as caught:
        tokens.access_token(connection)
    assert caught.value.code == "reauthorize"
    connection.refresh_from_db()
    assert (connection.state, connection.state_reason) == (ConnectionState.REAUTHORIZE, tokens.OTHER_KEYS)


def test_with_a_wrong_key_a_run_waits_and_a_refresh_ends_with_the_reason(settings: Any) -> None:
    connection = ConnectionFactory()
    run = runs.start(connection, actor=None, queue=False)
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    runs.continue_run(run.pk, queue=False)
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("queued", "reauthorize")
    with pytest.raises(IntegrationError, match="encryption key"):
        refresh.refresh(connection, "cus_1")


def test_no_page_falls_over_a_wrong_key(settings: Any, client: Client) -> None:
    connection = ConnectionFactory(webhook_secret="whsec_one")
    customer = CustomerFactory(billed=True)
    StripeCustomerFactory(connection=connection, customer=customer)
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    housekeeping.watchdog()
    client.force_login(OwnerFactory())
    for address in (
        reverse("stripe:integration", args=["live"]),
        reverse("stripe:disconnect", args=["live"]),
        reverse("stripe:log", args=["live"]),
        reverse("admin:integrations_stripeconnection_change", args=[connection.pk]),
        reverse("admin:integrations_stripeconnection_changelist"),
        customer.get_absolute_url(),
    ):
        assert client.get(address).status_code == 200, address
    page = client.get(reverse("stripe:integration", args=["live"])).content.decode()
    assert tokens.OTHER_KEYS in page


def test_the_key_put_back_is_all_it_takes(settings: Any) -> None:
    ConnectionFactory()
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    housekeeping.watchdog()
    assert StripeConnection.objects.get().state == ConnectionState.REAUTHORIZE
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    housekeeping.watchdog()
    assert StripeConnection.objects.get().state == ConnectionState.CONNECTED
    assert stored() == before


def test_saving_a_row_with_a_secret_that_cannot_be_read_keeps_it(settings: Any) -> None:
    ConnectionFactory()
    before = stored()
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    row = StripeConnection.objects.get()
    row.account_name = "Another"
    row.save()
    assert stored() == before


def test_disconnecting_needs_no_key(settings: Any, client: Client) -> None:
    ConnectionFactory()
    settings.FIELD_ENCRYPTION_KEYS = [STRANGE]
    client.force_login(OwnerFactory())
    client.post(reverse("stripe:disconnect", args=["live"]))
    assert stored() == ""


def test_a_key_is_shown_by_its_last_four_characters_only(client: Client) -> None:
    ConnectionFactory(access_token="rk_live_0123456789abcdWXYZ", key_last4="WXYZ")
    client.force_login(OwnerFactory())
    page = client.get(reverse("stripe:integration", args=["live"])).content.decode()
    page += client.get(reverse("stripe:disconnect", args=["live"])).content.decode()
    assert "WXYZ" in page
    assert "abcdWXYZ" not in page


def test_the_settings_keys_are_never_on_the_debug_page(settings: Any) -> None:
    from django.views.debug import get_default_exception_reporter_filter

    shown = str(get_default_exception_reporter_filter().get_safe_settings())
    for secret in (django_settings.SECRET_KEY, *django_settings.FIELD_ENCRYPTION_KEYS):
        assert secret not in shown
