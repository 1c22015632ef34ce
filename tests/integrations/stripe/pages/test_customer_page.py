"""What Stripe puts on the customer page: header notes, billing card, footer, menu, and why it is blank."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer
from integrations.models import (
    ConnectionState,
    DecisionKind,
    MatchDecision,
    MatchDecisionMember,
    MemberEffect,
    Mode,
    StripeConnection,
)
from sandbox.testing import Running, running
from tests.factories import AdminFactory, CustomerDomainFactory, CustomerFactory, StaffFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    BillingSummaryFactory,
    ConnectionFactory,
    IssueFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)

pytestmark = pytest.mark.django_db
DECLINED = "{attempts} declined, {next_attempt}, {amount_remaining} open"


@pytest.fixture
def member(client: Client) -> Client:
    client.force_login(UserFactory())
    return client


@pytest.fixture
def connection() -> StripeConnection:
    return ConnectionFactory()


def page(client: Client, customer: Customer) -> str:
    return " ".join(client.get(customer.get_absolute_url()).content.decode().split())


def billed(connection: StripeConnection, *, names: tuple[str, ...] = ("Acme Corp",), **fields: Any) -> Customer:
    """A customer with a Stripe customer and a subscription per name, the first one primary."""
    summary = fields.pop("summary", {})
    customer = CustomerFactory(billed=True, **{"name": "Acme Corp", "domain": "acme.com", **fields})
    for name in names:
        stripe = StripeCustomerFactory(connection=connection, customer=customer, name=name, email="ap@acme.com")
        StripeSubscriptionFactory(connection=connection, customer_id=stripe.stripe_id)
        if name == names[0]:
            Customer.objects.filter(pk=customer.pk).update(stripe_customer_id=stripe.stripe_id)
    customer.refresh_from_db()
    BillingSummaryFactory(connection=connection, customer=customer, live_subscriptions=len(names), **summary)
    return customer


# --- header ----------------------------------------------------------------------------------------------------


def test_a_failing_payment_says_why_and_leads_to_the_invoice(member: Client, connection: StripeConnection) -> None:
    reason = {
        "why": "declined",
        "message": DECLINED,
        "invoice": "in_1",
        "currency": "usd",
        "amount_remaining": 144340,
        "attempts": 2,
        "next_attempt": (timezone.now() + timedelta(days=4)).isoformat(),
    }
    customer = billed(connection, payment_status="failing", summary={"payment_reason": reason})
    said = page(member, customer)
    assert "2 attempts declined, next on" in said
    assert "$1,443.40 open" in said
    assert 'href="https://dashboard.stripe.com/acct_1Fieldnote/invoices/in_1"' in said


def test_an_invoice_outside_the_scope_is_called_that(member: Client, connection: StripeConnection) -> None:
    reason = {"why": "due", "message": "Invoice is due", "invoice": "in_1", "currency": "usd", "outside_scope": True}
    customer = billed(connection, payment_status="past_due", summary={"payment_reason": reason})
    assert "Invoice is due, outside your scope" in page(member, customer)


def test_the_invoice_of_one_of_several_names_its_stripe_customer(member: Client, connection: StripeConnection) -> None:
    customer = billed(connection, names=("Acme Corp", "Acme GmbH"), payment_status="past_due")
    gmbh = customer.stripe_customers.get(name="Acme GmbH")
    customer.billing_summary.payment_reason = {
        "why": "due",
        "message": "Invoice is due",
        "invoice": "in_1",
        "currency": "usd",
        "customer": gmbh.stripe_id,
    }
    customer.billing_summary.save()
    assert "Invoice is due, on Acme GmbH" in page(member, customer)


def test_an_older_open_invoice_is_said_under_a_paid_status(member: Client, connection: StripeConnection) -> None:
    also_open = {
        "count": 1,
        "oldest": "2026-10-01T00:00:00Z",
        "totals": [{"currency": "usd", "amount": "750"}, {"currency": "jpy", "amount": "1200"}],
    }
    customer = billed(connection, summary={"also_open": also_open})
    assert "1 older invoice is open: $750 + ¥1,200, since 1 Oct" in page(member, customer)


def test_an_undecided_merge_leads_staff_to_the_group_and_members_to_the_ids(
    client: Client, connection: StripeConnection
) -> None:
    customer = billed(connection, names=("Acme Corp", "Acme GmbH"), billing_flags=["undecided"])
    customer.stripe_customers.update(ambiguous_kind="shared_domain")
    group = reverse("stripe:ambiguous_group", args=["live", customer.pk])
    client.force_login(StaffFactory())
    said = page(client, customer)
    assert "2 Stripe customers added up, nobody has decided yet" in said
    assert group in said
    client.force_login(UserFactory())
    said = page(client, customer)
    assert group not in said
    assert 'href="#stripe-customers"' in said
    assert 'id="stripe-customers"' in said


def test_what_the_mrr_leaves_out_is_said(client: Client, connection: StripeConnection) -> None:
    incomplete = [{"code": "no_exchange_rate", "subject": "ngn", "subscriptions": 1}]
    customer = billed(connection, billing_flags=["incomplete"], summary={"incomplete": incomplete})
    client.force_login(UserFactory())
    said = page(client, customer)
    assert "≥ leaves out 1 subscription in NGN: no exchange rate" in said
    assert "≥ $1,400" in said
    assert "Add a rate" not in said
    client.force_login(AdminFactory())
    assert "Add a rate" in page(client, customer)


def test_further_subscriptions_are_counted_behind_the_plan(member: Client, connection: StripeConnection) -> None:
    assert "Growth +1" in page(member, billed(connection, names=("Acme Corp", "Acme GmbH")))


@pytest.mark.parametrize(
    ("state", "says"),
    [(ConnectionState.DISCONNECTED, "Stripe is disconnected"), (ConnectionState.REAUTHORIZE, "connected again")],
)
def test_stale_figures_stay_with_the_reason(
    member: Client, connection: StripeConnection, state: str, says: str
) -> None:
    customer = billed(connection)
    StripeConnection.objects.update(state=state)
    said = page(member, customer)
    assert says in said
    assert "The figures are from" in said
    assert "Growth" in said
    assert "data-stale" in said


def test_billing_that_ended_says_when(member: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(billed=True, plan="", plan_label="", mrr=0)
    stripe = StripeCustomerFactory(connection=connection, customer=customer, standing="ended")
    ended = int(timezone.now().replace(month=3, day=3).timestamp())
    StripeSubscriptionFactory(
        connection=connection,
        customer_id=stripe.stripe_id,
        status="canceled",
        live=False,
        mrr=Decimal(0),
        changes={"ended_at": ended},
    )
    BillingSummaryFactory(connection=connection, customer=customer, live_subscriptions=0)
    said = page(member, customer)
    assert "Billing ended" in said
    assert "3 Mar" in said


# --- billing card ----------------------------------------------------------------------------------------------


def card_of(client: Client, connection: StripeConnection, **changes: Any) -> str:
    """The page of a customer with one subscription changed so."""
    customer = CustomerFactory(billed=True)
    stripe = StripeCustomerFactory(connection=connection, customer=customer)
    StripeSubscriptionFactory(
        connection=connection, customer_id=stripe.stripe_id, status=changes.pop("status", "active"), changes=changes
    )
    BillingSummaryFactory(connection=connection, customer=customer)
    return page(client, customer)


AHEAD = int((timezone.now() + timedelta(days=30)).timestamp())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"status": "trialing", "trial_end": AHEAD}, "Trial until"),
        ({"cancel_at": AHEAD}, "Ends "),
        ({"cancel_at_period_end": True, "cancel_at": AHEAD}, "Ends "),
        ({"pause_collection": {"behavior": "void"}}, "Collection paused"),
        ({"pause_collection": {"behavior": "void", "resumes_at": AHEAD}}, "Collection paused until"),
        ({"status": "past_due"}, "Past due"),
        ({"status": "unpaid"}, "Unpaid"),
        ({"status": "a_new_status"}, "a_new_status"),
        ({}, "12 units, monthly"),
    ],
)
def test_a_subscription_carries_its_badges(
    member: Client, connection: StripeConnection, changes: dict[str, Any], says: str
) -> None:
    assert says in card_of(member, connection, **changes)


def test_the_card_adds_up_to_the_mrr_and_leads_to_the_receipt(member: Client, connection: StripeConnection) -> None:
    customer = billed(connection, mrr=960)
    said = page(member, customer)
    assert "$960" in said
    assert reverse("stripe:receipt", args=[customer.pk]) in said


def test_the_deciding_invoice_the_passed_over_and_the_older_one_are_told_apart(
    member: Client, connection: StripeConnection
) -> None:
    customer = billed(connection)
    stripe_id = customer.stripe_customer_id
    now = timezone.now()
    StripeInvoiceFactory(connection=connection, customer_id=stripe_id, status="draft", number="FN-3", created=now)
    paid = StripeInvoiceFactory(
        connection=connection, customer_id=stripe_id, number="FN-2", created=now - timedelta(days=1)
    )
    StripeInvoiceFactory(
        connection=connection,
        customer_id=stripe_id,
        number="FN-1",
        status="open",
        created=now - timedelta(days=60),
        changes={"attempt_count": 4},
    )
    StripeInvoiceFactory(connection=connection, customer_id=stripe_id, number="FN-0", created=now - timedelta(days=90))
    customer.billing_summary.payment_reason = {"why": "paid", "message": "paid", "invoice": paid.stripe_id}
    customer.billing_summary.save()
    said = page(member, customer)
    assert "Passed over: Invoice FN-3 is a draft" in said
    assert "Decides: Invoice FN-2 is paid" in said
    assert "Older: 4 attempts declined" in said
    assert "FN-0" not in said


def test_without_the_permission_the_card_says_that_invoices_are_not_read(
    member: Client, connection: StripeConnection
) -> None:
    customer = billed(connection)
    StripeConnection.objects.update(permissions=["customer_read", "subscription_read"])
    assert "Invoices may not be read" in page(member, customer)


def test_everything_from_stripe_is_text_and_nothing_else(member: Client, connection: StripeConnection) -> None:
    evil = "<script>alert(1)</script>"
    customer = billed(connection, names=(evil, evil), billing_flags=["undecided"])
    customer.stripe_customers.update(ambiguous_kind="shared_domain")
    StripeInvoiceFactory(connection=connection, customer_id=customer.stripe_customer_id, number=evil)
    for address in (customer.get_absolute_url(), reverse("stripe:receipt", args=[customer.pk])):
        assert evil not in member.get(address).content.decode()


# --- footer and menu -------------------------------------------------------------------------------------------


def test_the_footer_links_every_stripe_customer_the_primary_first(member: Client, connection: StripeConnection) -> None:
    customer = billed(connection, names=("Acme Corp", "Acme GmbH"))
    said = page(member, customer)
    links = re.findall(r"https://dashboard\.stripe\.com/acct_1Fieldnote/customers/(cus_\w+)\"[^>]*>cus_", said)
    assert links[0] == customer.stripe_customer_id
    assert len(links) == 2


def test_the_footer_of_test_data_leads_to_test_mode(member: Client) -> None:
    connection = ConnectionFactory(mode=Mode.TEST)
    customer = billed(connection, environment="staging")
    said = page(member, customer)
    assert f"/acct_1Fieldnote/test/customers/{customer.stripe_customer_id}" in said
    assert "Test data" in said


def test_without_an_account_id_the_link_has_the_short_form(member: Client) -> None:
    customer = billed(ConnectionFactory(account_id=""))
    assert f'"https://dashboard.stripe.com/customers/{customer.stripe_customer_id}"' in page(member, customer)


def test_resync_is_offered_while_connected(member: Client, connection: StripeConnection) -> None:
    customer = billed(connection)
    address = reverse("stripe:resync", args=[customer.pk])
    assert address in page(member, customer)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED)
    assert address not in page(member, customer)


# --- why is it blank? ------------------------------------------------------------------------------------------


def why(client: Client, **fields: Any) -> str:
    """What the page of a blank customer on acme.com says."""
    return page(client, CustomerFactory(**{"domain": "acme.com", **fields}))


def test_blank_because_stripe_is_not_connected(member: Client) -> None:
    assert "Stripe is not connected for production customers." in why(member)


def test_blank_because_nothing_was_synced_yet(member: Client) -> None:
    ConnectionFactory(fresh=True)
    assert "Stripe is connected, but was never synced." in why(member)


def test_blank_because_there_is_no_domain(member: Client, connection: StripeConnection) -> None:
    assert "The customer has no domain" in why(member, domain="")


def test_blank_because_nobody_in_stripe_has_the_domain(member: Client, connection: StripeConnection) -> None:
    assert "No Stripe customer has an e-mail at acme.com." in why(member)


def test_blank_because_the_customer_is_archived(member: Client, connection: StripeConnection) -> None:
    assert "archived customers never match" in why(member, status="archived")


def test_blank_because_the_subscription_is_outside_the_scope(member: Client, connection: StripeConnection) -> None:
    row = StripeCustomerFactory(connection=connection, email="ap@acme.com", standing="", match_state="")
    StripeSubscriptionFactory(connection=connection, customer_id=row.stripe_id)
    assert "its subscriptions are outside the scope" in why(member)


def test_blank_because_there_is_no_subscription(member: Client, connection: StripeConnection) -> None:
    StripeCustomerFactory(connection=connection, email="ap@acme.com", standing="", match_state="")
    assert "it has no subscription" in why(member)


def test_blank_because_the_address_is_personal(member: Client, connection: StripeConnection) -> None:
    StripeCustomerFactory(
        connection=connection, email="jane@gmail.com", match_state="skipped", match_reason="personal_email"
    )
    assert "is on a personal domain" in why(member, domain="jane@gmail.com")


def test_blank_because_somebody_decided_so_says_who_when_and_why(member: Client, connection: StripeConnection) -> None:
    row = StripeCustomerFactory(
        connection=connection, email="ap@acme.com", name="Old pilot", match_state="skipped", match_reason="ignored"
    )
    decision = MatchDecision.objects.create(
        connection=connection,
        kind=DecisionKind.IGNORE,
        reason="Pilot account",
        actor=StaffFactory(first_name="Jonas", last_name="Weber"),
    )
    MatchDecisionMember.objects.create(decision=decision, stripe_customer_id=row.stripe_id, effect=MemberEffect.IGNORED)
    said = why(member)
    assert "Old pilot is ignored: Jonas Weber decided so on" in said
    assert "“Pilot account”" in said


def test_blank_because_another_customer_has_it(member: Client, connection: StripeConnection) -> None:
    other = CustomerFactory(name="Twin Peaks North", domain="acme.com", billed=True)
    StripeCustomerFactory(connection=connection, email="ap@acme.com", customer=other)
    assert "attached to Twin Peaks North" in why(member)


def test_another_customer_is_not_named_to_somebody_who_may_not_open_it(client: Client, settings: Any) -> None:
    settings.DEFAULT_ACCESS = "assigned"
    user = UserFactory()
    client.force_login(user)
    other = CustomerFactory(name="Twin Peaks North", domain="acme.com", billed=True)
    StripeCustomerFactory(connection=ConnectionFactory(), email="ap@acme.com", customer=other)
    said = why(client, owner=user)
    assert "attached to another customer" in said
    assert "Twin Peaks North" not in said


def test_blank_because_the_record_could_not_be_read(member: Client, connection: StripeConnection) -> None:
    row = StripeCustomerFactory(connection=connection, email="ap@acme.com", standing="", match_state="")
    IssueFactory(connection=connection, object_id=row.stripe_id)
    assert "could not be read completely" in why(member)


def test_an_extra_domain_is_looked_for_too(member: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory(domain="acme.com")
    CustomerDomainFactory(customer=customer, domain="acme-billing.com")
    assert "acme.com, acme-billing.com" in page(member, customer)


def test_a_member_can_ask_an_admin_with_the_link_filled_in(member: Client, connection: StripeConnection) -> None:
    said = why(member, name='Harbor & "Finch"')
    assert "Ask an admin" in said
    assert "mailto:?subject=Harbor%20%26%20%22Finch%22" in said
    assert "%2Fcustomers%2F" in said


def test_staff_can_act_where_members_ask(client: Client, connection: StripeConnection) -> None:
    client.force_login(StaffFactory())
    said = why(client)
    assert "Add a domain" in said
    assert "Ask an admin" not in said


# --- numbers ---------------------------------------------------------------------------------------------------


def test_the_page_asks_the_database_a_constant_number_of_times(member: Client, connection: StripeConnection) -> None:
    def queries(customer: Customer) -> int:
        with CaptureQueriesContext(database) as captured:
            member.get(customer.get_absolute_url())
        return len(captured)

    small = billed(connection)
    large = billed(connection, names=tuple(f"Acme {number}" for number in range(8)), domain="other.com")
    for customer in (small, large):
        StripeInvoiceFactory.create_batch(5, connection=connection, customer_id=customer.stripe_customer_id)
    assert queries(small) == queries(large)


def test_the_list_asks_for_badges_a_constant_number_of_times(member: Client, connection: StripeConnection) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            assert member.get(reverse("customers:list"), {"whose": "all"}).status_code == 200
        return len(captured)

    billed(connection, domain="first.com")
    few = queries()
    for number in range(6):
        billed(connection, domain=f"more{number}.com")
    assert queries() == few


def test_the_list_carries_the_badges(member: Client, connection: StripeConnection) -> None:
    incomplete = [{"code": "no_exchange_rate", "subject": "ngn", "subscriptions": 2}]
    billed(
        connection,
        names=("Acme Corp", "Acme GmbH"),
        billing_flags=["undecided", "incomplete", "older_invoice_open"],
        summary={"incomplete": incomplete, "also_open": {"count": 2, "oldest": None, "totals": []}},
    )
    said = member.get(reverse("customers:list"), {"whose": "all"}).content.decode()
    assert "Leaves out 2 subscriptions in NGN: no exchange rate" in said
    assert "2 older invoices are open" in said
    assert "Growth +1" in said


# --- resync ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stripe() -> Iterator[Running]:
    with running() as started:
        yield started


def test_a_member_resyncs_a_customer_from_stripe(member: Client, stripe: Running, settings: Any) -> None:
    settings.DEBUG = True
    settings.STRIPE_API_BASE = settings.STRIPE_CONNECT_BASE = stripe.url
    connection = ConnectionFactory(access_token="rk_live_all")
    known = stripe.get("/v1/customers", limit=1).json()["data"][0]
    customer = CustomerFactory(domain=known["email"].rpartition("@")[2])
    StripeCustomerFactory(connection=connection, stripe_id=known["id"], email=known["email"], customer=customer)
    said = member.post(reverse("stripe:resync", args=[customer.pk]), follow=True).content.decode()
    assert "Read from Stripe just now." in said


def test_a_resync_while_disconnected_says_what_to_do(member: Client, connection: StripeConnection) -> None:
    customer = billed(connection)
    StripeConnection.objects.update(state=ConnectionState.DISCONNECTED, access_token="")
    said = member.post(reverse("stripe:resync", args=[customer.pk]), follow=True).content.decode()
    assert "reauthorize" in said


def test_a_resync_of_somebody_stripe_does_not_know_says_so(member: Client, connection: StripeConnection) -> None:
    customer = CustomerFactory()
    said = member.post(reverse("stripe:resync", args=[customer.pk]), follow=True).content.decode()
    assert "No Stripe customer we know of has this domain" in said
