"""Django admin in the product's look: every list there is, with rows of every kind."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from tests.browser.states import OWNER, state
from tests.security.walking import workspace

PAGE = "Django admin"


@state(PAGE, "every list", "", who=OWNER)
def lists() -> list[str]:
    workspace()
    return [reverse(f"{name}_changelist") for name in _names()]


def _names() -> dict[str, type[Model]]:
    models = admin.site._registry
    return {f"admin:{model._meta.app_label}_{model._meta.model_name}": model for model in models}


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
