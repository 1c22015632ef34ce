"""Writes stored secrets anew under the first of FIELD_ENCRYPTION_KEYS.

Online: each secret is replaced by compare-and-set on what is stored, so that a token refreshed meanwhile stays the new
one. Resumable and idempotent: nothing is remembered, since a secret under the first key needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.db import models, transaction
from django.db.models.functions import Cast

from integrations import audit
from integrations.fields import EncryptedTextField, cipher
from integrations.models import AuditAction

BATCH = 200


@dataclass(slots=True)
class Rotation:
    """How many secrets were written anew, needed nothing, or could not be read with any key."""

    rotated: int = 0
    current: int = 0
    unreadable: int = 0


def rotate(*, dry_run: bool = False) -> Rotation:
    """Write every secret of every model under the first key; each batch is a transaction of its own."""
    result = Rotation()
    for model, name in encrypted_columns():
        after = 0
        while rows := stored(model, name, after):
            with transaction.atomic():
                for pk, ciphertext in rows:
                    rotate_one(model, name, pk, ciphertext, result, dry_run=dry_run)
            after = rows[-1][0]
    if result.rotated and not dry_run:
        audit.record(
            AuditAction.KEYS_ROTATED, actor=None, details={"secrets": result.rotated, "unreadable": result.unreadable}
        )
    return result


def encrypted_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Every encrypted column there is, whoever declared it."""
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, EncryptedTextField):
                yield model, field.attname


def stored(model: type[models.Model], name: str, after: int) -> list[tuple[int, str]]:
    """A batch of primary keys and ciphertexts as they are in the database, empty ones left out."""
    raw = Cast(name, models.TextField())
    rows = model._default_manager.filter(pk__gt=after).annotate(stored_text=raw).exclude(stored_text="")
    return list(rows.order_by("pk").values_list("pk", "stored_text")[:BATCH])


def rotate_one(
    model: type[models.Model], name: str, pk: int, ciphertext: str, result: Rotation, *, dry_run: bool
) -> None:
    """One secret; somebody who wrote another one meanwhile did so under the first key and wins."""
    keys = tuple(settings.FIELD_ENCRYPTION_KEYS)
    try:
        Fernet(keys[0]).decrypt(ciphertext.encode())
    except InvalidToken:
        pass
    else:
        result.current += 1
        return
    try:
        secret = cipher(keys).decrypt(ciphertext.encode()).decode()
    except InvalidToken:
        result.unreadable += 1
        return
    result.rotated += 1
    if not dry_run:
        unchanged = model._default_manager.annotate(stored_text=Cast(name, models.TextField()))
        unchanged.filter(pk=pk, stored_text=ciphertext).update(**{name: secret})
