"""The Stripe objects we read, as msgspec structs holding exactly the fields we use.

Field names and meanings are Stripe's at API version 2026-10-28.endive. Enums are open at that version, so every status
is a plain ``str``; what an unknown value means is decided in ``rules``. Money arrives as integers in minor units or as
decimal strings, never as float. A field that a list answer leaves out unless it is expanded (tiers, currency options,
``applies_to``) is ``UNSET`` when it was not sent, which is different from ``None``. Times are Unix seconds. Shapes of
before 2025-03-31 are accepted and become today's while they are decoded. What a field may hold is part of its type.

These structs import nothing but msgspec, so that ``rules`` may work on them without Django (docs/architecture.md
section 3).
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.structs import force_setattr, replace

from integrations.stripe.api.fields import (
    BigInteger,
    Divisor,
    Identifier,
    Integer,
    Moment,
    Text,
)


class Wire(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of every object read from Stripe; unknown fields are ignored, missing ones take the default."""


class Page(Wire, frozen=True):
    """One answer of a list endpoint; each object stays raw so that a broken one cannot spoil the page."""

    data: list[Raw]
    has_more: bool


class Reference(Wire, frozen=True):
    """The least that makes an object of any kind countable when the rest of it cannot be decoded."""

    id: Identifier
    customer: Text | Customer | None = None


class Recurring(Wire, frozen=True):
    """How often a price is charged; ``usage_type`` is ``licensed`` or ``metered``."""

    interval: Text
    interval_count: Divisor = 1
    usage_type: Text = "licensed"


class TransformQuantity(Wire, frozen=True):
    """Divide the quantity before pricing; ``round`` is ``up`` or ``down``."""

    divide_by: Divisor
    round: Text


class Tier(Wire, frozen=True):
    """One step of a tiered price; ``up_to`` None has no end. Amounts in minor units."""

    up_to: BigInteger | None = None
    unit_amount: BigInteger | None = None
    unit_amount_decimal: Decimal | None = None
    flat_amount: BigInteger | None = None
    flat_amount_decimal: Decimal | None = None


class PriceCurrencyOption(Wire, frozen=True):
    """A price's amount in another currency."""

    unit_amount: BigInteger | None = None
    unit_amount_decimal: Decimal | None = None
    tiers: list[Tier] | UnsetType | None = UNSET


class Product(Wire, frozen=True):
    """What is sold; only its name is used."""

    id: Identifier
    name: Text = ""
    active: bool = True
    deleted: bool = False


class Price(Wire, frozen=True):
    """What a unit costs and how often; tiers and currency options only when they were expanded."""

    id: Identifier
    currency: Text
    product: Text | Product
    recurring: Recurring | None = None
    billing_scheme: Text = "per_unit"
    unit_amount: BigInteger | None = None
    unit_amount_decimal: Decimal | None = None
    lookup_key: Text | None = None
    nickname: Text | None = None
    tiers_mode: Text | None = None
    transform_quantity: TransformQuantity | None = None
    tiers: list[Tier] | UnsetType | None = UNSET
    currency_options: dict[Text, PriceCurrencyOption] | UnsetType | None = UNSET

    @property
    def product_id(self) -> str:
        """The product's id, expanded or not."""
        return self.product if isinstance(self.product, str) else self.product.id


class CouponCurrencyOption(Wire, frozen=True):
    """A coupon's amount in another currency, minor units."""

    amount_off: BigInteger


class AppliesTo(Wire, frozen=True):
    """The products a coupon is limited to."""

    products: list[Text]


class Coupon(Wire, frozen=True):
    """What a discount takes off: a percentage or an amount in minor units of ``currency``."""

    id: Identifier
    duration: Text
    name: Text | None = None
    percent_off: Decimal | None = None
    amount_off: BigInteger | None = None
    currency: Text | None = None
    currency_options: dict[Text, CouponCurrencyOption] | UnsetType | None = UNSET
    applies_to: AppliesTo | UnsetType | None = UNSET


class DiscountSource(Wire, frozen=True):
    """Where a discount comes from; the coupon is an id unless it was expanded."""

    coupon: Text | Coupon | None = None


class Discount(Wire, frozen=True):
    """A coupon in force on a customer, a subscription or an item, until ``end`` (None: no end)."""

    id: Identifier
    source: DiscountSource = DiscountSource()
    end: Moment | None = None
    coupon: Text | Coupon | None = None  # before 2025-09-30

    def __post_init__(self) -> None:
        """An older shape becomes today's, so that nobody behind the wire knows of it."""
        if self.coupon is not None:
            force_setattr(self, "source", DiscountSource(coupon=self.source.coupon or self.coupon))
            force_setattr(self, "coupon", None)

    @property
    def coupon_id(self) -> str | None:
        """The coupon's id, expanded or not."""
        coupon = self.source.coupon
        return coupon.id if isinstance(coupon, Coupon) else coupon


class Customer(Wire, frozen=True):
    """A Stripe customer; a deleted one has nothing but its id and ``deleted``."""

    id: Identifier
    deleted: bool = False
    created: Moment | None = None
    email: Text | None = None
    name: Text | None = None
    currency: Text | None = None
    discount: Discount | None = None
    metadata: dict[Text, Text] | None = None


class TaxRate(Wire, frozen=True):
    """A tax in percent; only inclusive ones matter to MRR."""

    id: Identifier
    percentage: Decimal
    inclusive: bool
    display_name: Text = ""


class SubscriptionItem(Wire, frozen=True):
    """One line of a subscription; ``quantity`` is absent on metered prices."""

    id: Identifier
    price: Price
    quantity: BigInteger | None = None
    discounts: list[Text | Discount] | None = None
    tax_rates: list[TaxRate] | None = None
    current_period_end: Moment | None = None


class SubscriptionItems(Wire, frozen=True):
    """The inline list of items; ``has_more`` means the rest must be read from /v1/subscription_items."""

    data: list[SubscriptionItem]
    has_more: bool = False


class PauseCollection(Wire, frozen=True):
    """Collection is paused; the status stays what it was."""

    behavior: Text = ""
    resumes_at: Moment | None = None


class InvoiceUncollectible(Wire, frozen=True):
    """Why an invoice was given up."""

    reason: Text | None = None


class InvoiceStatusDetails(Wire, frozen=True):
    """More about an invoice's status."""

    uncollectible: InvoiceUncollectible | None = None


class PaymentIntent(Wire, frozen=True):
    """An attempt to collect money; only its status is used."""

    id: Identifier
    status: Text


class PaymentSource(Wire, frozen=True):
    """What an invoice payment is made with; the intent is an id unless it was expanded."""

    type: Text = ""
    payment_intent: Text | PaymentIntent | None = None

    @property
    def payment_intent_id(self) -> str | None:
        """The payment intent's id, expanded or not."""
        intent = self.payment_intent
        return intent.id if isinstance(intent, PaymentIntent) else intent


class InvoicePayment(Wire, frozen=True):
    """One payment of an invoice; ``status`` is open, paid or canceled."""

    id: Identifier
    status: Text
    invoice: Text | None = None
    created: Moment = 0
    is_default: bool = False
    payment: PaymentSource | None = None


class InvoicePayments(Wire, frozen=True):
    """The inline list of an invoice's payments."""

    data: list[InvoicePayment]
    has_more: bool = False


class InvoiceSubscriptionDetails(Wire, frozen=True):
    """The subscription an invoice was made for."""

    subscription: Text | None = None


class InvoiceParent(Wire, frozen=True):
    """What an invoice was made for."""

    subscription_details: InvoiceSubscriptionDetails | None = None


class Invoice(Wire, frozen=True):
    """An invoice; amounts in minor units of ``currency``; ``status`` None on one that was never finalised."""

    id: Identifier
    created: Moment
    currency: Text
    customer: Text | Customer | None = None
    status: Text | None = None
    number: Text | None = None
    collection_method: Text | None = None
    due_date: Moment | None = None
    attempt_count: Integer = 0
    next_payment_attempt: Moment | None = None
    total: BigInteger = 0
    amount_due: BigInteger = 0
    amount_paid: BigInteger = 0
    amount_remaining: BigInteger = 0
    billing_reason: Text | None = None
    parent: InvoiceParent | None = None
    status_details: InvoiceStatusDetails | None = None
    payments: InvoicePayments | UnsetType | None = UNSET
    subscription: Text | None = None  # before 2025-03-31, and so is the next
    payment_intent: Text | PaymentIntent | None = None

    def __post_init__(self) -> None:
        """An older shape becomes today's."""
        if self.subscription is not None:
            details = InvoiceSubscriptionDetails(subscription=self.subscription)
            force_setattr(self, "parent", self.parent or InvoiceParent(subscription_details=details))
            force_setattr(self, "subscription", None)
        if self.payment_intent is not None:
            if not isinstance(self.payments, InvoicePayments):
                force_setattr(self, "payments", InvoicePayments(data=[self._only_payment(self.payment_intent)]))
            force_setattr(self, "payment_intent", None)

    def _only_payment(self, intent: str | PaymentIntent) -> InvoicePayment:
        """The payment behind the one intent an invoice had: it had no id, so it gets one that no other can have."""
        return InvoicePayment(
            id=f"inpay_of_{self.id}",
            status="paid" if self.status == "paid" else "open",
            invoice=self.id,
            is_default=True,
            payment=PaymentSource(type="payment_intent", payment_intent=intent),
        )

    @property
    def customer_id(self) -> str | None:
        """The Stripe customer's id, expanded or not."""
        return self.customer.id if isinstance(self.customer, Customer) else self.customer


class Subscription(Wire, frozen=True):
    """A subscription with its items; customer and latest invoice are ids unless they were expanded."""

    id: Identifier
    customer: Text | Customer
    status: Text
    created: Moment
    start_date: Moment
    currency: Text
    items: SubscriptionItems
    collection_method: Text | None = None
    ended_at: Moment | None = None
    cancel_at: Moment | None = None
    cancel_at_period_end: bool = False
    canceled_at: Moment | None = None
    trial_end: Moment | None = None
    pause_collection: PauseCollection | None = None
    discounts: list[Text | Discount] | None = None
    default_tax_rates: list[TaxRate] | None = None
    latest_invoice: Text | Invoice | None = None
    test_clock: Text | None = None
    discount: Discount | None = None  # before 2025-03-31, and so is the next
    current_period_end: Moment | None = None

    def __post_init__(self) -> None:
        """An older shape becomes today's: one discount a list of one, the period's end that of every item."""
        if self.discount is not None:
            force_setattr(self, "discounts", self.discounts or [self.discount])
            force_setattr(self, "discount", None)
        if self.current_period_end is not None:
            items = [
                item
                if item.current_period_end is not None
                else replace(item, current_period_end=self.current_period_end)
                for item in self.items.data
            ]
            force_setattr(self, "items", replace(self.items, data=items))
            force_setattr(self, "current_period_end", None)

    @property
    def customer_id(self) -> str:
        """The Stripe customer's id, expanded or not."""
        return self.customer.id if isinstance(self.customer, Customer) else self.customer


class AccountBusinessProfile(Wire, frozen=True):
    """The public face of an account."""

    name: Text | None = None


class AccountDashboard(Wire, frozen=True):
    """How the account is called in Stripe's Dashboard."""

    display_name: Text | None = None


class AccountSettings(Wire, frozen=True):
    """The part of an account's settings we read."""

    dashboard: AccountDashboard | None = None


class Account(Wire, frozen=True):
    """The connected account; reading it is optional (docs/rules.md section 7)."""

    id: Identifier
    business_profile: AccountBusinessProfile | None = None
    settings: AccountSettings | None = None
    email: Text | None = None

    @property
    def display_name(self) -> str:
        """The name people know the account by, or an empty string."""
        if self.settings and self.settings.dashboard and self.settings.dashboard.display_name:
            return self.settings.dashboard.display_name
        if self.business_profile and self.business_profile.name:
            return self.business_profile.name
        return self.email or ""
