"""The integrations app."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class IntegrationsConfig(AppConfig):
    """What every integration shares, and Stripe."""

    name = "integrations"
    verbose_name = gettext_lazy("Integrations")

    def ready(self) -> None:
        """Join what the CRM side offers: announcements, panels, and the groups' permissions."""
        from django.contrib.auth.signals import user_logged_in
        from django.db.models.signals import post_delete, post_migrate, post_save
        from django_q.signals import post_execute_in_worker

        from customers.signals import customers_changed, exported, personal_domains_changed
        from integrations import audit_receivers
        from integrations.models import ExchangeRate
        from integrations.models.heartbeat import on_task_done
        from integrations.permissions import grant_group_permissions
        from integrations.stripe.pages import panels
        from integrations.stripe.sync.announcements import on_customers_changed, on_rate_changed

        post_migrate.connect(grant_group_permissions, dispatch_uid="integrations.grant_group_permissions")
        customers_changed.connect(on_customers_changed, dispatch_uid="integrations.on_customers_changed")
        for signal in (post_save, post_delete):
            signal.connect(on_rate_changed, sender=ExchangeRate, dispatch_uid="integrations.on_rate_changed")
            signal.connect(
                audit_receivers.on_rate_changed, sender=ExchangeRate, dispatch_uid="integrations.audit.on_rate_changed"
            )
        exported.connect(audit_receivers.on_exported, dispatch_uid="integrations.audit.on_exported")
        post_execute_in_worker.connect(on_task_done, dispatch_uid="integrations.on_task_done")
        user_logged_in.connect(audit_receivers.on_signed_in, dispatch_uid="integrations.audit.on_signed_in")
        personal_domains_changed.connect(
            audit_receivers.on_personal_domains_changed, dispatch_uid="integrations.audit.on_personal_domains_changed"
        )
        panels.register()
