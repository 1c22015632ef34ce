"""How single cells of a customer table are read and written."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.db.models.functions import Lower
from django.utils.translation import gettext as _
from import_export import widgets

from customers.csv_export import iso


class OwnerWidget(widgets.Widget):
    """A person by user name or e-mail address, looked up in one query for the whole table."""

    def __init__(self) -> None:
        super().__init__()
        self.people: dict[str, User] = {}

    def load(self) -> None:
        """Read everybody; a user name wins over somebody else's address."""
        people = list(User.objects.filter(is_active=True).annotate(address=Lower("email")).order_by("-id"))
        self.people = {person.address: person for person in people if person.address}
        self.people |= {person.username.lower(): person for person in people}

    def clean(self, value: str, row: Any = None, **kwargs: Any) -> User | None:
        """The person; nobody for a blank. Raises ValueError for an unknown one."""
        name = (value or "").strip()
        if not name:
            return None
        if (found := self.people.get(name.lower())) is None:
            raise ValueError(_("There is no active person “%(name)s”; use a user name or e-mail.") % {"name": name})
        return found

    def render(self, value: User | None, obj: Any = None, **kwargs: Any) -> str:
        """The user name, which reads back."""
        return value.get_username() if value else ""


class MomentWidget(widgets.Widget):
    """A moment as ISO 8601 in UTC."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Empty for none."""
        return iso(value) if value else ""


class MoneyWidget(widgets.Widget):
    """An amount as a decimal string with two places."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Like ``1400.00``."""
        return f"{value:.2f}"


class FlagsWidget(widgets.Widget):
    """Billing flags, separated by blanks."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        """Empty for none."""
        return " ".join(value)
