"""Django admin in the product's look: its front page, an empty list, a deletion, a history and the import."""

from __future__ import annotations

from django.urls import reverse

from tests.browser.states import OWNER, state
from tests.security.walking import workspace

PAGE = "Django admin"


@state(PAGE, "front page", "Integrations", who=OWNER)
def index() -> str:
    return reverse("admin:index")


@state(PAGE, "an empty list", "0", who=OWNER)
def empty() -> str:
    return reverse("admin:customers_customer_changelist")


@state(PAGE, "deleting a customer", "Delete", who=OWNER)
def delete() -> str:
    return reverse("admin:customers_customer_delete", args=[workspace()["customer_id"]])


@state(PAGE, "history of a customer", "history", who=OWNER)
def history() -> str:
    return reverse("admin:customers_customer_history", args=[workspace()["customer_id"]])


@state(PAGE, "importing customers", "Import", who=OWNER)
def importing() -> str:
    return reverse("admin:customers_customer_import")
