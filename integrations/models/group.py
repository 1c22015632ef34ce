"""Ambiguous groups: Pivotal customers as what Stripe customers meet on, for a list of their own in Django admin."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from customers.models import Customer


class AmbiguousGroup(Customer):
    """A customer that a flagged Stripe customer is on; ``integrations.stripe.sync.groups`` says which those are."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("ambiguous match")
        verbose_name_plural = _("ambiguous matches")
