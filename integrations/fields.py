"""An encrypted text column.

Values are encrypted with the first key of FIELD_ENCRYPTION_KEYS and decrypted with any of them, so keys can be
rotated. A value that no key opens raises: ciphertext is never handed out as if it were the secret.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


@lru_cache(maxsize=4)
def cipher(keys: tuple[str, ...]) -> MultiFernet:
    """The cipher of these keys, newest first."""
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedTextField(models.TextField):
    """Text that is plain in Python and encrypted in the database; an empty string stays empty."""

    def get_prep_value(self, value: Any) -> str:
        """Encrypt on the way to the database."""
        if not value:
            return ""
        return cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(str(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        """Decrypt on the way out; raises ImproperlyConfigured when no key fits."""
        if not value:
            return ""
        try:
            return cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken as error:
            raise ImproperlyConfigured(
                "A stored secret cannot be read with FIELD_ENCRYPTION_KEYS. Put the key it was written with back."
            ) from error
