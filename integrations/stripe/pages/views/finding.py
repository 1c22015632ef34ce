"""Who belongs to whom, when only one side is chosen: customers to link to, or Stripe customers to link."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from customers.models import Customer
from integrations.models import StripeConnection
from integrations.stripe.pages.presenters.finding import customers_for, stripe_customers_for
from integrations.stripe.pages.presenters.page import render_page
from integrations.stripe.pages.views.choosing import Selection


def choose_customer(request: HttpRequest, connection: StripeConnection, chosen: Selection) -> HttpResponse:
    """The customers to link these Stripe customers to: suggested ones, and what a search finds."""
    context = {"found": customers_for(request, connection, chosen.rows(connection)), "back": chosen.back}
    return render_page(request, "stripe/choose_customer.html", connection, context, here=_("Link"))


def choose_stripe_customers(request: HttpRequest, connection: StripeConnection, customer: Customer) -> HttpResponse:
    """The Stripe customers that could belong to a customer: by its domains, by name, and what a search finds."""
    context = {"found": stripe_customers_for(request, connection, customer), "customer": customer}
    return render_page(request, "stripe/choose_stripe.html", connection, context, here=_("Link"))
