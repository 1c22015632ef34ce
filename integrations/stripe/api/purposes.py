"""Why each field of Stripe's that we keep is kept; docs/what-we-store.md is made of it.

A new field in ``objects`` needs its line here: a test compares the two.
"""

from __future__ import annotations

PLAN, MONEY, STATUS, MATCH = "names the plan", "part of the MRR", "part of the payment status", "finds the customer"

OLDER = "an older shape, never kept under this name"

PURPOSES: dict[str, dict[str, str]] = {
    "Customer": {
        "id": "the key; the link to Stripe",
        "deleted": "a deleted customer is left out",
        "created": "order of lists; which of several is the older",
        "email": f"{MATCH}: its domain; shown to those who decide matches",
        "name": "shown beside the match; suggestions for unmatched ones",
        "currency": "shown in comparisons",
        "discount": "a discount on everything the customer pays",
        "metadata": "evidence for those who decide which of two Stripe customers is whose",
    },
    "Subscription": {
        "id": "the key; the link to Stripe",
        "customer": "whose it is",
        "status": "whether it counts",
        "created": "how far a walk came",
        "start_date": "billed since",
        "currency": MONEY,
        "items": MONEY,
        "collection_method": "whether an open invoice waits for a transfer or for a card",
        "ended_at": "whether it has ended",
        "cancel_at": "shown: it ends then",
        "cancel_at_period_end": "shown: it ends with its period",
        "canceled_at": "shown in the receipt",
        "trial_end": "a trial counts 0 until then",
        "pause_collection": "whether nothing is collected at present",
        "discounts": MONEY,
        "default_tax_rates": "taxes inside the price are taken off the MRR",
        "latest_invoice": STATUS,
        "test_clock": "objects on a test clock never count as ended by themselves",
        "discount": OLDER,
        "current_period_end": OLDER,
    },
    "SubscriptionItems": {"data": "the items", "has_more": "whether the rest has to be read"},
    "SubscriptionItem": {
        "id": "the key",
        "price": MONEY,
        "quantity": MONEY,
        "discounts": MONEY,
        "tax_rates": "taxes inside the price are taken off the MRR",
        "current_period_end": "when a cancelled one ends",
    },
    "Price": {
        "id": "the key",
        "currency": MONEY,
        "product": PLAN,
        "recurring": MONEY,
        "billing_scheme": MONEY,
        "unit_amount": MONEY,
        "unit_amount_decimal": MONEY,
        "lookup_key": f"{PLAN}; the scope",
        "nickname": PLAN,
        "tiers_mode": MONEY,
        "transform_quantity": MONEY,
        "tiers": MONEY,
        "currency_options": MONEY,
    },
    "Recurring": dict.fromkeys(("interval", "interval_count"), MONEY) | {"usage_type": "metered prices never count"},
    "TransformQuantity": dict.fromkeys(("divide_by", "round"), MONEY),
    "Tier": dict.fromkeys(
        ("up_to", "unit_amount", "unit_amount_decimal", "flat_amount", "flat_amount_decimal"), MONEY
    ),
    "PriceCurrencyOption": dict.fromkeys(("unit_amount", "unit_amount_decimal", "tiers"), MONEY),
    "Product": {
        "id": "the key; the scope",
        "name": f"{PLAN} where there is no lookup key",
        "active": "shown in the choice of the scope",
        "deleted": "a deleted one keeps its last name",
    },
    "Coupon": {
        "id": "the key",
        "name": "shown in the receipt",
        "duration": "how long it takes something off",
        **dict.fromkeys(("percent_off", "amount_off", "currency", "currency_options", "applies_to"), MONEY),
    },
    "CouponCurrencyOption": {"amount_off": MONEY},
    "AppliesTo": {"products": MONEY},
    "Discount": {"id": "the key", "source": MONEY, "end": "until when it takes something off", "coupon": OLDER},
    "DiscountSource": {"coupon": MONEY},
    "TaxRate": {
        "id": "the key",
        "percentage": MONEY,
        "inclusive": "only taxes inside the price matter",
        "display_name": "shown in the receipt",
    },
    "PauseCollection": {"behavior": "what happens to invoices meanwhile", "resumes_at": "until when"},
    "Invoice": {
        "id": "the key; the link to Stripe",
        "number": "shown as the reason of a payment status",
        "billing_reason": "tells a renewal from a one-off",
        "subscription": OLDER,
        "payment_intent": OLDER,
        **dict.fromkeys(
            (
                "created", "currency", "customer", "status", "collection_method", "due_date", "attempt_count",
                "next_payment_attempt", "total", "amount_due", "amount_paid", "amount_remaining", "parent",
                "status_details", "payments",
            ),
            STATUS,
        ),
    },
    "InvoiceParent": {"subscription_details": "which subscription it is for"},
    "InvoiceSubscriptionDetails": {"subscription": "which subscription it is for"},
    "InvoiceStatusDetails": {"uncollectible": STATUS},
    "InvoiceUncollectible": {"reason": "shown as the reason of a payment status"},
    "InvoicePayments": {"data": STATUS, "has_more": "whether the rest has to be read"},
    "InvoicePayment": {
        "id": "the key",
        **dict.fromkeys(("status", "invoice", "created", "is_default", "payment"), STATUS),
    },
    "PaymentSource": {"type": STATUS, "payment_intent": STATUS},
    "PaymentIntent": {"id": "the key", "status": "whether a payment is under way or was declined"},
    "Account": {
        "id": "that it stays the same account; links to Stripe",
        "business_profile": "the account's name on our pages",
        "settings": "the account's name on our pages",
        "email": "stands in for the account's name where it has none",
    },
    "AccountSettings": {"dashboard": "the account's name on our pages"},
    "AccountDashboard": {"display_name": "the account's name on our pages"},
    "AccountBusinessProfile": {"name": "the account's name on our pages"},
}  # fmt: skip
"""Why, by struct and field."""

NOT_KEPT = frozenset({"Page", "Reference"})
"""Structs that only carry others while they are read."""
