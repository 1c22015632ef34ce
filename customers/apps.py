"""The CRM side of Pivotal."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class CustomersConfig(AppConfig):
    """Customers, their billing fields, and what happened to them."""

    name = "customers"
    verbose_name = gettext_lazy("Customers")

    def ready(self) -> None:
        """Register our look-up, and give the product's groups their permissions once Django has made them."""
        from django.db.models.signals import post_migrate

        from customers import lookups  # noqa: F401 - registers itself
        from customers.permissions import grant_group_permissions

        post_migrate.connect(grant_group_permissions, dispatch_uid="customers.grant_group_permissions")
