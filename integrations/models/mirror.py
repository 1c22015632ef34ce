"""The mirror: what Stripe said last about every object we read, whatever the scope.

A row's key is (connection, stripe id): the same id may exist in live and test mode. No foreign key joins mirror rows,
since objects arrive in any order. ``data`` is the decoded object, exactly the fields of
``integrations.stripe.api.objects``; the other columns are copies for joins and lists. ``observed_at`` is database
time of the moment the request was sent: an older observation never overwrites a newer one (docs/architecture.md
section 4 "Observed-at").
"""

from __future__ import annotations

from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _


def stripe_id(**options: object) -> models.CharField[str, str]:
    """A column for an id of Stripe's, compared by code point."""
    return models.CharField(max_length=255, db_collation="C", **options)  # type: ignore[arg-type]


class Mirror(models.Model):
    """What every mirror table has."""

    # The key begins with the connection; an index of its own would only be one more to keep.
    connection = models.ForeignKey(
        "integrations.StripeConnection", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    stripe_id = stripe_id()
    data = models.JSONField()
    observed_at = models.DateTimeField()

    class Meta:
        abstract = True
        constraints = [models.UniqueConstraint(fields=["connection", "stripe_id"], name="%(class)s_key")]

    def __str__(self) -> str:
        return str(self.stripe_id)


class Standing(models.TextChoices):
    """What a Stripe customer's subscriptions in scope make of it."""

    LIVE = "live", _("Live")
    ENDED = "ended", _("Ended")
    NONE = "", _("No subscription in scope")


class MatchState(models.TextChoices):
    """Where the match rules put a Stripe customer (docs/rules.md section 2)."""

    MATCHED = "matched", _("Matched")
    UNMATCHED = "unmatched", _("Unmatched")
    SKIPPED = "skipped", _("Skipped")
    NONE = "", _("Not considered")


class StripeCustomer(Mirror):
    """A customer in Stripe, and the Pivotal customer it belongs to.

    ``email_domain`` and ``email_address`` are normalised, empty when unusable. The match columns are written by
    ``sync.match`` alone: ``standing`` and ``match_state`` with its reason, the customer, and since when the group it is
    in is ambiguous, and of which kind: ``shared_domain`` or ``several_customers``. ``stake`` is the exact MRR in
    scope of a live one that is unmatched or skipped, in USD a month; ``sync.stakes`` writes it, true of no others.
    """

    email = models.TextField(blank=True, default="")
    email_address = models.TextField(blank=True, default="", db_collation="C")
    email_domain = models.CharField(max_length=320, blank=True, default="", db_collation="C")
    personal = models.BooleanField(default=False)
    name = models.TextField(blank=True, default="")
    created = models.DateTimeField(null=True, blank=True)
    deleted = models.BooleanField(default=False)

    standing = models.CharField(max_length=5, choices=Standing, blank=True, default=Standing.NONE)
    match_state = models.CharField(max_length=9, choices=MatchState, blank=True, default=MatchState.NONE)
    match_reason = models.CharField(max_length=30, blank=True, default="")
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.SET_NULL, related_name="stripe_customers"
    )
    winner = models.BooleanField(default=False)
    ambiguous_kind = models.CharField(max_length=17, blank=True, default="")
    ambiguous_since = models.DateTimeField(null=True, blank=True)
    stake = models.DecimalField(
        max_digits=30, decimal_places=12, default=Decimal(0), db_default=Decimal(0), editable=False
    )

    class Meta(Mirror.Meta):
        verbose_name = _("Stripe customer")
        verbose_name_plural = _("Stripe customers")
        indexes = [
            models.Index(fields=["connection", "email_domain"], name="stripecustomer_domain"),
            models.Index(fields=["customer"], name="stripecustomer_of_customer"),
            models.Index(
                fields=["connection", "match_state", "match_reason"],
                condition=models.Q(standing="live"),
                name="stripecustomer_counts",
            ),
            # The lists of those without a customer, the most at stake first.
            models.Index(
                "connection",
                "match_state",
                models.F("stake").desc(),
                "stripe_id",
                condition=models.Q(standing="live", match_state__in=["unmatched", "skipped"]),
                name="stripecustomer_stake",
            ),
            models.Index(
                fields=["connection"], condition=~models.Q(ambiguous_kind=""), name="stripecustomer_ambiguous"
            ),
        ]


class StripeSubscription(Mirror):
    """A subscription in Stripe, its MRR and its receipt.

    ``customer_id`` here is the Stripe customer. ``mrr`` is the monthly USD contribution with 12 places, ``receipt`` how
    it came about, ``problems`` what makes it incomplete as ``code subject`` (``no_exchange_rate ngn``),
    ``computed_from`` a hash of everything they were computed from, empty when that is unknown; the last seven columns
    are written by ``sync.contributions`` alone.
    """

    customer_id = stripe_id()
    status = models.CharField(max_length=40)
    live = models.BooleanField()
    created = models.DateTimeField()
    start_date = models.DateTimeField()
    currency = models.CharField(max_length=10)
    price_ids = ArrayField(stripe_id(), default=list)
    product_ids = ArrayField(stripe_id(), default=list)
    lookup_keys = ArrayField(stripe_id(), default=list)
    latest_invoice_id = stripe_id(blank=True, default="")

    mrr = models.DecimalField(max_digits=30, decimal_places=12, default=Decimal(0))
    receipt = models.JSONField(null=True, blank=True)
    problems = ArrayField(models.CharField(max_length=300), default=list)
    plan = models.TextField(blank=True, default="")
    plan_label = models.TextField(blank=True, default="")
    next_change_at = models.DateTimeField(null=True, blank=True)
    computed_from = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)

    class Meta(Mirror.Meta):
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        indexes = [
            # The lists sort thousands of Stripe customers by what their subscriptions add up to, from the index alone.
            models.Index(fields=["connection", "customer_id"], include=["mrr"], name="subscription_of_customer"),
            GinIndex(fields=["product_ids"], name="subscription_products"),
            GinIndex(fields=["lookup_keys"], name="subscription_lookup_keys"),
            models.Index(fields=["connection"], condition=~models.Q(problems=[]), name="subscription_problems"),
            models.Index(
                fields=["connection", "next_change_at"],
                name="subscription_next_change",
                condition=models.Q(next_change_at__isnull=False),
            ),
        ]


class StripeInvoice(Mirror):
    """An invoice the payment status may rest on; the mirror never holds all of them."""

    customer_id = stripe_id()
    status = models.CharField(max_length=40, blank=True, default="")
    created = models.DateTimeField()
    number = models.CharField(max_length=255, blank=True, default="")

    class Meta(Mirror.Meta):
        verbose_name = _("invoice")
        verbose_name_plural = _("invoices")
        indexes = [models.Index(fields=["connection", "customer_id", "-created"], name="invoice_of_customer")]


class StripeInvoicePayment(Mirror):
    """A payment of an open invoice: which payment intent it rests on, and whether it is open, paid or canceled."""

    invoice_id = stripe_id()

    class Meta(Mirror.Meta):
        verbose_name = _("invoice payment")
        verbose_name_plural = _("invoice payments")
        indexes = [models.Index(fields=["connection", "invoice_id"], name="payment_of_invoice")]


class StripePaymentIntent(Mirror):
    """The status of a payment intent behind an open invoice payment."""

    status = models.CharField(max_length=40)

    class Meta(Mirror.Meta):
        verbose_name = _("payment intent")
        verbose_name_plural = _("payment intents")


class StripePrice(Mirror):
    """A price with its tiers and currency options, which lists of subscriptions leave out."""

    product_id = stripe_id()
    lookup_key = stripe_id(blank=True, default="")

    class Meta(Mirror.Meta):
        verbose_name = _("price")
        verbose_name_plural = _("prices")


class StripeProduct(Mirror):
    """A product; its name is the plan where a price has no lookup key."""

    name = models.TextField(blank=True, default="")

    class Meta(Mirror.Meta):
        verbose_name = _("product")
        verbose_name_plural = _("products")


class StripeCoupon(Mirror):
    """A coupon with its limits and currency options."""

    class Meta(Mirror.Meta):
        verbose_name = _("coupon")
        verbose_name_plural = _("coupons")
