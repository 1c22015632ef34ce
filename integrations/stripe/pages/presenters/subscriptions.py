"""What subscriptions of the mirror add up to, as a query."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import DecimalField, OuterRef, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from integrations.models import StripeConnection, StripeSubscription
from integrations.stripe.sync.scope_sql import in_saved_scope

MRR = DecimalField[Decimal, Decimal](max_digits=30, decimal_places=12)


def mrr_in_scope(connection: StripeConnection) -> Coalesce:
    """Per Stripe customer, the exact MRR of its subscriptions in scope; 0 without any."""
    total = (
        StripeSubscription.objects.filter(
            in_saved_scope(connection), connection=connection, customer_id=OuterRef("stripe_id")
        )
        .order_by()
        .values("customer_id")
        .annotate(total=Sum("mrr"))
        .values("total")
    )
    return Coalesce(Subquery(total, output_field=MRR), Value(Decimal(0), output_field=MRR))
