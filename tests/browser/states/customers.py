"""The customer page with billing, and the pages behind it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from customers.models import Customer
from integrations.models import ConnectionState, Mode, StripeConnection, StripeInvoice
from tests.browser.states import ADMIN, CSM, LONG_NAME, STAFF, state
from tests.factories import ActivityFactory, CustomerDomainFactory, CustomerFactory, MrrPointFactory
from tests.integrations.stripe.pages.factories import (
    BillingSummaryFactory,
    ConnectionFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)

PAGE = "Customer"
DECLINED = "{attempts} declined, {next_attempt}, {amount_remaining} open"
INCOMPLETE = [{"code": "no_exchange_rate", "subject": "ngn", "subscriptions": 1}]
AHEAD = int((timezone.now() + timedelta(days=20)).timestamp())


def billed(*names: str, mode: str = Mode.LIVE, changes: Any = None, summary: Any = None, **fields: Any) -> Customer:
    """A customer with a Stripe customer, a subscription and an invoice per name, the first one primary."""
    connection = ConnectionFactory(mode=mode)
    known = {"name": "Acme Corp", "domain": "acme.com", "mrr": Decimal(960), **fields}
    customer: Customer = CustomerFactory(billed=True, **known)
    for name in names or ("Acme Corp",):
        row = StripeCustomerFactory(connection=connection, customer=customer, name=name, email="ap@acme.com")
        StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id, changes=changes or {})
        StripeInvoiceFactory(connection=connection, customer_id=row.stripe_id)
        customer.stripe_customer_id = row.stripe_id
    customer.save()
    BillingSummaryFactory(connection=connection, customer=customer, live_subscriptions=len(names) or 1, **summary or {})
    return customer


def page(customer: Customer) -> str:
    """Its address."""
    return customer.get_absolute_url()


# --- header and billing ----------------------------------------------------------------------------------------


def failing() -> Customer:
    """Somebody whose card was declined twice."""
    reason = {
        "why": "declined",
        "message": DECLINED,
        "invoice": "in_1",
        "currency": "usd",
        "amount_remaining": 144340,
        "attempts": 2,
        "next_attempt": (timezone.now() + timedelta(days=4)).isoformat(),
    }
    return billed(payment_status="failing", changes={"status": "past_due"}, summary={"payment_reason": reason})


@state(PAGE, "paid", "Growth", who=CSM)
def paid() -> str:
    customer = billed()
    for days, mrr, cause in ((90, 480, "first_sync"), (40, 720, "seats"), (2, 960, "price")):
        MrrPointFactory(customer=customer, at=timezone.now() - timedelta(days=days), mrr=mrr, cause=cause)
    ActivityFactory(customer=customer)
    ActivityFactory(customer=customer, field="payment_status", old="past_due", new="paid")
    CustomerDomainFactory(customer=customer)
    return page(customer)


@state(PAGE, "payment failing", "2 attempts declined, next on", who=CSM)
def payment_failing() -> str:
    return page(failing())


@state(PAGE, "past due, outside the scope", "outside your scope", who=CSM)
def past_due() -> str:
    reason = {"why": "due", "message": "Invoice is due", "invoice": "in_1", "currency": "usd", "outside_scope": True}
    return page(billed(payment_status="past_due", summary={"payment_reason": reason}))


@state(PAGE, "merged and undecided, for staff", "nobody has decided yet", who=STAFF)
def undecided_for_staff() -> str:
    customer = billed(LONG_NAME, "Acme GmbH", "Acme Ltd", billing_flags=["undecided"], mrr=Decimal(2880))
    customer.stripe_customers.update(ambiguous_kind="shared_domain")
    return page(customer)


@state(PAGE, "merged and undecided, for a member", "nobody has decided yet", who=CSM)
def undecided_for_a_member() -> str:
    return undecided_for_staff()


@state(PAGE, "incomplete", "leaves out 1 subscription in NGN")
def incomplete() -> str:
    return page(billed(billing_flags=["incomplete"], summary={"incomplete": INCOMPLETE}))


@state(PAGE, "older invoice open", "1 older invoice is open", who=CSM)
def older_invoice() -> str:
    older = {"count": 1, "oldest": "2026-10-01T00:00:00Z", "totals": [{"currency": "usd", "amount": "750"}]}
    return page(billed(billing_flags=["older_invoice_open"], summary={"also_open": older}))


@state(PAGE, "everything at once, a long name", "nobody has decided yet", who=STAFF)
def everything() -> str:
    older = {"count": 2, "oldest": "2026-10-01T00:00:00Z", "totals": [{"currency": "usd", "amount": "1234567.5"}]}
    customer = billed(
        LONG_NAME,
        "Fernbank GmbH",
        name=LONG_NAME,
        domain="analytics.fernbank-community-care.example.com",
        mrr=Decimal("1234567.89"),
        plan_label="enterprise_annual_with_premium_support_and_a_long_lookup_key",
        billing_flags=["undecided", "incomplete", "older_invoice_open"],
        summary={"incomplete": INCOMPLETE, "also_open": older},
        changes={"cancel_at": AHEAD, "trial_end": AHEAD},
    )
    customer.stripe_customers.update(ambiguous_kind="shared_domain")
    return page(customer)


@state(PAGE, "staging, test data", "Test data", who=CSM)
def of_staging() -> str:
    return page(billed(mode=Mode.TEST, environment="staging"))


@state(PAGE, "stale", "The figures are from", who=CSM, settings={"BUSINESS_HOURS": "Mon-Sun 0-24"})
def stale() -> str:
    customer = billed()
    long_ago = timezone.now() - timedelta(days=3)
    StripeConnection.objects.update(last_full_sync_at=long_ago, last_look_at=long_ago)
    Customer.objects.update(billing_as_of=long_ago)
    return page(customer)


@state(PAGE, "disconnected", "Stripe is disconnected", who=CSM)
def disconnected() -> str:
    customer = billed()
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    return page(customer)


@state(PAGE, "reauthorize", "connected again", who=CSM)
def reauthorize() -> str:
    customer = billed()
    StripeConnection.objects.update(state=ConnectionState.REAUTHORIZE)
    return page(customer)


@state(PAGE, "billing ended", "Billing ended", who=CSM)
def ended() -> str:
    customer = CustomerFactory(billed=True, plan="", plan_label="", mrr=0)
    row = StripeCustomerFactory(customer=customer, standing="ended")
    StripeSubscriptionFactory(
        connection=row.connection,
        customer_id=row.stripe_id,
        status="canceled",
        live=False,
        mrr=Decimal(0),
        changes={"ended_at": int((timezone.now() - timedelta(days=30)).timestamp())},
    )
    BillingSummaryFactory(connection=row.connection, customer=customer, live_subscriptions=0)
    return page(customer)


@state(PAGE, "what comes next", "Ends", who=CSM)
def upcoming() -> str:
    return page(billed(changes={"cancel_at": AHEAD, "current_period_end": AHEAD}))


@state(PAGE, "invoices may not be read", "Invoices may not be read", who=CSM)
def no_invoices() -> str:
    customer = billed()
    StripeConnection.objects.update(permissions=["customer_read", "subscription_read"])
    StripeInvoice.objects.all().delete()
    return page(customer)


@state(
    PAGE,
    "the menu is open",
    "Resync from Stripe",
    act=lambda browser: browser.locator(".menu--more > summary, summary[aria-label^='More']").first.click(),
)
def menu() -> str:
    return page(billed())


# --- the pages behind it ---------------------------------------------------------------------------------------


@state("Receipt", "two Stripe customers", "Growth", who=CSM)
def receipt() -> str:
    customer = billed(LONG_NAME, "Acme GmbH", mrr=Decimal(1920))
    return reverse("stripe:receipt", args=[customer.pk])


@state("Receipt", "incomplete, test data", "Test data", who=CSM)
def receipt_of_staging() -> str:
    customer = billed(
        mode=Mode.TEST, environment="staging", billing_flags=["incomplete"], summary={"incomplete": INCOMPLETE}
    )
    return reverse("stripe:receipt", args=[customer.pk])


@state("Receipt", "nothing attached", "Acme", who=CSM)
def receipt_of_nothing() -> str:
    ConnectionFactory()
    return reverse("stripe:receipt", args=[CustomerFactory(name="Acme Corp").pk])


@state("Activity", "several kinds", "MRR", who=CSM)
def activity() -> str:
    customer = billed()
    ActivityFactory(customer=customer)
    ActivityFactory(customer=customer, field="plan_label", old="Growth", new=LONG_NAME)
    ActivityFactory(customer=customer, actor_type="user", field="name", old=LONG_NAME, new="Acme", origin="")
    return reverse("customers:activity", args=[customer.pk])


@state("Activity", "empty", "Activity", who=CSM)
def no_activity() -> str:
    return reverse("customers:activity", args=[CustomerFactory().pk])


@state("Match decisions of a customer", "none", "decision", who=CSM)
def no_decisions() -> str:
    return reverse("stripe:customer_decisions", args=[billed().pk])


@state("Edit customer", "with extra domains", "Domain", who=ADMIN)
def edit() -> str:
    customer = billed(name=LONG_NAME)
    CustomerDomainFactory(customer=customer, domain="analytics.fernbank-community-care.example.com")
    return reverse("customers:edit", args=[customer.pk])


def press_save(browser: Page) -> None:
    """Send the form as it is, whatever the browser would say."""
    browser.evaluate("document.querySelectorAll('form').forEach((form) => { form.noValidate = true; })")
    browser.locator("main form[method=post] [type=submit]").first.click()


@state("New customer", "with an error", "required", act=press_save)
def create_with_error() -> str:
    return reverse("customers:create")


@state("Daily mail", "as it is", "mail", who=CSM)
def daily_mail() -> str:
    return reverse("customers:daily_mail")
