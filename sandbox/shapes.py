"""Complete objects of the pinned API version: every field of every resource, null where nothing is known.

Fields that Stripe only sends when asked for (`tiers`, `currency_options`, `applies_to`, `payments`) are not part of
a shape: they live beside the object and are put in by expansion (`sandbox.expansion`).
"""

import copy
from typing import Any

Json = dict[str, Any]

_ADDRESS: Json = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}

_CUSTOMER: Json = {
    "id": "", "object": "customer", "address": None, "balance": 0, "created": 0,
    "currency": None, "customer_account": None, "default_source": None, "delinquent": False, "description": None,
    "discount": None, "email": None, "invoice_prefix": None,
    "invoice_settings": {
        "custom_fields": None, "default_payment_method": None, "footer": None, "rendering_options": None,
    },
    "livemode": False, "metadata": {}, "name": None, "next_invoice_sequence": 1, "phone": None,
    "preferred_locales": [], "shipping": None, "tax_exempt": "none", "test_clock": None,
}  # fmt: skip

_PRODUCT: Json = {
    "id": "", "object": "product", "active": True, "created": 0, "default_price": None, "description": None,
    "images": [], "livemode": False, "marketing_features": [], "metadata": {}, "name": "", "package_dimensions": None,
    "shippable": None, "statement_descriptor": None, "tax_code": None, "tax_details": None, "type": "service",
    "unit_label": None, "updated": 0, "url": None,
}  # fmt: skip

_PRICE: Json = {
    "id": "", "object": "price", "active": True, "billing_scheme": "per_unit", "created": 0, "currency": "usd",
    "custom_unit_amount": None, "livemode": False, "lookup_key": None, "metadata": {}, "nickname": None, "product": "",
    "recurring": {
        "interval": "month", "interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed",
    },
    "tax_behavior": "unspecified", "tiers_mode": None, "transform_quantity": None, "type": "recurring",
    "unit_amount": None, "unit_amount_decimal": None,
}  # fmt: skip

_COUPON: Json = {
    "id": "", "object": "coupon", "amount_off": None, "created": 0, "currency": None, "duration": "forever",
    "duration_in_months": None, "livemode": False, "max_redemptions": None, "metadata": {}, "name": None,
    "percent_off": None, "redeem_by": None, "times_redeemed": 1, "valid": True,
}  # fmt: skip

_DISCOUNT: Json = {
    "id": "", "object": "discount", "checkout_session": None, "customer": None, "customer_account": None, "end": None,
    "invoice": None, "invoice_item": None, "promotion_code": None, "source": {"coupon": None, "type": "coupon"},
    "start": 0, "subscription": None, "subscription_item": None,
}  # fmt: skip

_TAX_RATE: Json = {
    "id": "", "object": "tax_rate", "active": True, "country": None, "created": 0, "description": None,
    "display_name": "VAT", "effective_percentage": None, "flat_amount": None, "inclusive": False, "jurisdiction": None,
    "jurisdiction_level": None, "livemode": False, "metadata": {}, "percentage": 0.0, "rate_type": "percentage",
    "state": None, "tax_type": "vat",
}  # fmt: skip

_SUBSCRIPTION_ITEM: Json = {
    "id": "", "object": "subscription_item", "billing_thresholds": None, "created": 0,
    "current_period_end": 0, "current_period_start": 0, "current_trial": None, "discounts": [], "metadata": {},
    "plan": None, "price": None, "quantity": 1, "subscription": "", "tax_rates": [],
}  # fmt: skip

_SUBSCRIPTION: Json = {
    "id": "", "object": "subscription", "application": None, "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor": 0, "billing_cycle_anchor_config": None,
    "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible"},
    "billing_schedules": [], "billing_thresholds": None, "cancel_at": None, "cancel_at_period_end": False,
    "canceled_at": None,
    "cancellation_details": {"comment": None, "feedback": None, "feedback_option": None, "reason": None},
    "collection_method": "charge_automatically", "created": 0, "currency": "usd", "customer": "",
    "customer_account": None, "days_until_due": None, "default_payment_method": None, "default_source": None,
    "default_tax_rates": [], "description": None, "discounts": [], "ended_at": None,
    "invoice_settings": {
        "account_tax_ids": None, "custom_fields": None, "description": None, "footer": None,
        "issuer": {"type": "self"},
    },
    "items": {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": ""},
    "latest_invoice": None, "livemode": False, "managed_payments": {"enabled": False}, "metadata": {},
    "next_pending_invoice_item_invoice": None, "on_behalf_of": None, "pause_collection": None,
    "payment_settings": {
        "payment_method_options": None, "payment_method_types": None, "save_default_payment_method": "off",
    },
    "pending_invoice_item_interval": None, "pending_setup_intent": None, "pending_update": None,
    "schedule": None, "start_date": 0, "status": "active", "status_details": None,
    "test_clock": None, "transfer_data": None, "trial_end": None,
    "trial_settings": {"end_behavior": {"billing_cycle_anchor": None, "missing_payment_method": "create_invoice"}},
    "trial_start": None,
}  # fmt: skip

_LINE_ITEM: Json = {
    "id": "", "object": "line_item", "amount": 0, "currency": "usd", "description": None, "discount_amounts": [],
    "discountable": True, "discounts": [], "invoice": None, "livemode": False, "metadata": {}, "parent": None,
    "period": {"end": 0, "start": 0}, "pretax_credit_amounts": [], "pricing": None, "quantity": 1,
    "quantity_decimal": "1", "subscription": None, "subtotal": 0, "taxes": [],
}  # fmt: skip

_INVOICE: Json = {
    "id": "", "object": "invoice", "account_country": "US", "account_name": "Fieldnote Inc", "account_tax_ids": None,
    "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0, "amount_paid_off_stripe": 0, "amount_remaining": 0,
    "amount_shipping": 0, "application": None, "attempt_count": 0, "attempted": False, "auto_advance": False,
    "automatic_tax": {
        "disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None,
    },
    "automatically_finalizes_at": None, "billing_reason": "subscription_cycle",
    "collection_method": "charge_automatically", "confirmation_secret": None, "created": 0, "currency": "usd",
    "custom_fields": None, "customer": "", "customer_account": None, "customer_address": None, "customer_email": None,
    "customer_name": None, "customer_phone": None, "customer_shipping": None, "customer_tax_exempt": "none",
    "customer_tax_ids": [], "default_payment_method": None, "default_source": None, "default_tax_rates": [],
    "description": None, "discounts": [], "due_date": None, "effective_at": None, "ending_balance": 0, "footer": None,
    "from_invoice": None, "hosted_invoice_url": None, "invoice_pdf": None, "issuer": {"type": "self"},
    "last_finalization_error": None, "latest_revision": None,
    "lines": {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": ""},
    "livemode": False, "metadata": {}, "next_payment_attempt": None, "number": None, "on_behalf_of": None,
    "parent": None,
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "period_end": 0, "period_start": 0, "post_payment_credit_notes_amount": 0, "pre_payment_credit_notes_amount": 0,
    "receipt_number": None, "rendering": None, "shipping_cost": None, "shipping_details": None, "starting_balance": 0,
    "statement_descriptor": None, "status": "draft", "status_details": None,
    "status_transitions": {"finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
    "subtotal": 0, "subtotal_excluding_tax": 0, "test_clock": None, "total": 0,
    "total_discount_amounts": [], "total_excluding_tax": 0, "total_pretax_credit_amounts": [], "total_taxes": [],
    "webhooks_delivered_at": None,
}  # fmt: skip

_INVOICE_PAYMENT: Json = {
    "id": "", "object": "invoice_payment", "amount_paid": None, "amount_requested": 0, "created": 0, "currency": "usd",
    "invoice": "", "is_default": True, "livemode": False, "payment": {"payment_intent": None, "type": "payment_intent"},
    "status": "open", "status_transitions": {"canceled_at": None, "paid_at": None},
}  # fmt: skip

_PAYMENT_INTENT: Json = {
    "id": "", "object": "payment_intent", "allowed_payment_method_types": None, "amount": 0, "amount_capturable": 0,
    "amount_details": {"tip": {}}, "amount_received": 0, "application": None, "application_fee_amount": None,
    "automatic_payment_methods": None, "canceled_at": None, "cancellation_reason": None,
    "capture_method": "automatic_async", "client_secret": None, "confirmation_method": "automatic", "created": 0,
    "currency": "usd", "customer": None, "customer_account": None, "description": "Subscription update",
    "excluded_payment_method_types": None, "last_payment_error": None, "latest_charge": None,
    "livemode": False, "managed_payments": {"enabled": False}, "metadata": {}, "next_action": None,
    "on_behalf_of": None, "payment_method": None,
    "payment_method_configuration_details": None, "payment_method_options": None, "payment_method_types": ["card"],
    "payment_record": None, "processing": None, "receipt_email": None, "review": None,
    "setup_future_usage": "off_session", "shipping": None, "source": None, "statement_descriptor": None,
    "statement_descriptor_suffix": None, "status": "succeeded", "transfer_data": None, "transfer_group": None,
}  # fmt: skip

_EVENT: Json = {
    "id": "", "object": "event", "api_version": None, "created": 0, "data": {"object": {}},
    "livemode": False, "pending_webhooks": 0, "request": {"id": None, "idempotency_key": None}, "type": "",
}  # fmt: skip

_ACCOUNT: Json = {
    "id": "", "object": "account",
    "business_profile": {
        "annual_revenue": None, "estimated_worker_count": None, "mcc": "5734",
        "minority_owned_business_designation": None, "name": None, "product_description": None,
        "support_address": None, "support_email": None, "support_phone": None, "support_url": None, "url": None,
    },
    "business_type": "company", "capabilities": {"card_payments": "active", "transfers": "active"},
    "charges_enabled": True, "controller": {"type": "account"}, "country": "US", "created": 0,
    "default_currency": "usd", "details_submitted": True, "email": None,
    "external_accounts": {"object": "list", "data": [], "has_more": False, "total_count": 0, "url": ""},
    "future_requirements": None, "metadata": {}, "payouts_enabled": True, "requirements": None,
    "settings": {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False}, "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None, "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {
            "statement_descriptor": None, "statement_descriptor_kana": None, "statement_descriptor_kanji": None,
        },
        "sepa_debit_payments": {},
    },
    "tos_acceptance": {"date": None, "ip": None, "user_agent": None}, "type": "standard",
}  # fmt: skip

SHAPES: dict[str, Json] = {
    "account": _ACCOUNT,
    "coupon": _COUPON,
    "customer": _CUSTOMER,
    "discount": _DISCOUNT,
    "event": _EVENT,
    "invoice": _INVOICE,
    "invoice_payment": _INVOICE_PAYMENT,
    "line_item": _LINE_ITEM,
    "payment_intent": _PAYMENT_INTENT,
    "price": _PRICE,
    "product": _PRODUCT,
    "subscription": _SUBSCRIPTION,
    "subscription_item": _SUBSCRIPTION_ITEM,
    "tax_rate": _TAX_RATE,
}


OMITTED: dict[str, frozenset[str]] = {
    "customer": frozenset({"business_name", "individual_name"}),
    "event": frozenset({"account", "context"}),
    "invoice": frozenset({"threshold_reason"}),
    "payment_intent": frozenset({"hooks", "payment_details", "presentment_details"}),
    "subscription": frozenset({"presentment_details"}),
    "subscription_item": frozenset({"billed_until"}),
}
"""Fields that Stripe leaves out instead of sending null; they can be set."""


def fields_of(resource: str) -> frozenset[str]:
    """Every field a `resource` can have, those of expansion aside."""
    return frozenset(SHAPES[resource]) | OMITTED.get(resource, frozenset())


def build(resource: str, **fields: Any) -> Json:
    """A complete `resource` with `fields` filled in; raises `KeyError` for a field that the resource does not have."""
    unknown = fields.keys() - fields_of(resource)
    if unknown:
        raise KeyError(f"{resource} has no field {', '.join(sorted(unknown))}")
    return copy.deepcopy(SHAPES[resource]) | fields


def address(country: str) -> Json:
    """A postal address of which only the country is known."""
    return {**_ADDRESS, "country": country}


def list_of(objects: list[Json], url: str, *, page_size: int = 10) -> Json:
    """The list object that Stripe embeds in another object: the first `page_size` of `objects`."""
    return {
        "object": "list",
        "data": objects[:page_size],
        "has_more": len(objects) > page_size,
        "total_count": len(objects),
        "url": url,
    }


def plan_of(price: Json) -> Json | None:
    """The legacy twin of a recurring `price`, as it still stands beside it on every subscription item."""
    recurring = price["recurring"]
    if recurring is None:
        return None
    return {
        "id": price["id"], "object": "plan", "active": price["active"], "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"], "billing_scheme": price["billing_scheme"],
        "created": price["created"], "currency": price["currency"], "interval": recurring["interval"],
        "interval_count": recurring["interval_count"], "livemode": price["livemode"], "metadata": {},
        "meter": recurring["meter"], "nickname": price["nickname"], "product": price["product"],
        "tiers_mode": price["tiers_mode"], "transform_usage": None,
        "trial_period_days": recurring["trial_period_days"], "usage_type": recurring["usage_type"],
    }  # fmt: skip
