"""The customer page without billing, each reason in words, as a member or staff meets it."""

from __future__ import annotations

from customers.models import Customer
from integrations.models import ConnectionState, DecisionKind, MatchDecision, MatchDecisionMember, MemberEffect
from tests.browser.states import CSM, LONG_NAME, STAFF, state
from tests.factories import CustomerFactory, UserFactory
from tests.integrations.stripe.pages.factories import (
    ConnectionFactory,
    IssueFactory,
    StripeCustomerFactory,
    StripeSubscriptionFactory,
)

PAGE = "Customer, blank"


def customer(**fields: object) -> str:
    """The page of a customer on acme.com."""
    found: Customer = CustomerFactory(**{"name": "Acme Corp", "domain": "acme.com", **fields})
    return found.get_absolute_url()


@state(PAGE, "no connection", "Stripe is not connected for production customers.", who=CSM)
def no_connection() -> str:
    return customer()


@state(PAGE, "never synced", "Stripe is connected, but was never synced.")
def never_synced() -> str:
    ConnectionFactory(fresh=True)
    return customer()


@state(PAGE, "no domain", "The customer has no domain", who=STAFF)
def no_domain() -> str:
    ConnectionFactory()
    return customer(domain="")


@state(PAGE, "no Stripe customer", "No Stripe customer has an e-mail at acme.com.", who=STAFF)
def no_stripe_customer() -> str:
    ConnectionFactory()
    return customer(name=LONG_NAME)


@state(PAGE, "no Stripe customer, as a member", "Ask an admin", who=CSM)
def ask_an_admin() -> str:
    ConnectionFactory()
    return customer()


@state(PAGE, "archived", "archived customers never match", who=STAFF)
def archived() -> str:
    ConnectionFactory()
    return customer(status="archived")


@state(PAGE, "outside the scope", "its subscriptions are outside the scope")
def outside_scope() -> str:
    row = StripeCustomerFactory(email="ap@acme.com", standing="", match_state="", name=LONG_NAME)
    StripeSubscriptionFactory(connection=row.connection, customer_id=row.stripe_id)
    return customer()


@state(PAGE, "no subscription", "it has no subscription", who=STAFF)
def no_subscription() -> str:
    StripeCustomerFactory(email="ap@acme.com", standing="", match_state="")
    return customer()


@state(PAGE, "personal domain", "is on a personal domain", who=CSM)
def personal_domain() -> str:
    StripeCustomerFactory(email="jane@gmail.com", match_state="skipped", match_reason="personal_email")
    return customer(domain="jane@gmail.com")


@state(PAGE, "ignored", "Old pilot is ignored", who=STAFF)
def ignored() -> str:
    row = StripeCustomerFactory(email="ap@acme.com", name="Old pilot", match_state="skipped", match_reason="ignored")
    actor = UserFactory(first_name="Jonas", last_name="Weber")
    decision = MatchDecision.objects.create(
        connection=row.connection, kind=DecisionKind.IGNORE, reason="Pilot account", actor=actor
    )
    MatchDecisionMember.objects.create(decision=decision, stripe_customer_id=row.stripe_id, effect=MemberEffect.IGNORED)
    return customer()


@state(PAGE, "lost to a winner that ended", "lost to another Stripe customer", who=STAFF)
def winner_ended() -> str:
    StripeCustomerFactory(email="ap@acme.com", match_state="skipped", match_reason="winner_ended")
    return customer()


@state(PAGE, "attached to another customer", "attached to Twin Peaks North", who=CSM)
def attached_elsewhere() -> str:
    other = CustomerFactory(name="Twin Peaks North", domain="acme.com", billed=True)
    StripeCustomerFactory(email="ap@acme.com", customer=other)
    return customer()


@state(PAGE, "decoding failed", "could not be read completely", who=STAFF)
def decoding_failed() -> str:
    row = StripeCustomerFactory(email="ap@acme.com", standing="", match_state="")
    IssueFactory(connection=row.connection, object_id=row.stripe_id)
    return customer()


@state(PAGE, "disconnected", "Acme Corp", who=CSM)
def disconnected() -> str:
    ConnectionFactory(state=ConnectionState.DISCONNECTED)
    return customer()
