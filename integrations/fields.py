"""An encrypted text column.

Values are encrypted with the first key of FIELD_ENCRYPTION_KEYS and decrypted with any of them, so keys can be
rotated. Ciphertext is never handed out as if it were the secret: a value that no key opens comes out as
:class:`Unreadable`, an empty text that remembers what is stored, so that saving the row loses nothing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


class Unreadable(str):
    """A stored secret that no key opens: empty to whoever reads it, and kept as it is by whoever saves it."""

    __slots__ = ("stored",)
    stored: str

    def __new__(cls, stored: str) -> Unreadable:
        """The empty text for the ciphertext ``stored``."""
        made = super().__new__(cls, "")
        made.stored = stored
        return made


def is_unreadable(value: str) -> bool:
    """Whether a secret is stored that FIELD_ENCRYPTION_KEYS do not open."""
    return isinstance(value, Unreadable)


@lru_cache(maxsize=4)
def cipher(keys: tuple[str, ...]) -> MultiFernet:
    """The cipher of these keys, newest first."""
    return MultiFernet([Fernet(key) for key in keys])


class EncryptedTextField(models.TextField):
    """Text that is plain in Python and encrypted in the database; an empty string stays empty."""

    def get_prep_value(self, value: Any) -> str:
        """Encrypt on the way to the database; what could not be read goes back as it was."""
        if isinstance(value, Unreadable):
            return value.stored
        if not value:
            return ""
        return cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(str(value).encode()).decode()

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str:
        """Decrypt on the way out; Unreadable when no key fits."""
        if not value:
            return ""
        try:
            return cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()
        except InvalidToken:
            return Unreadable(value)
