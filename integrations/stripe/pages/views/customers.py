"""What the integration adds to a customer's page: the receipt, and **Resync from Stripe**.

Open to everybody who may open the customer, Members too; somebody else's customer is not found.
"""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from customers.models import Customer
from customers.permissions import visible_customers
from customers.views.access import needs
from integrations.errors import IntegrationError
from integrations.permissions import DECIDE
from integrations.stripe.pages import notices
from integrations.stripe.pages.access import may, person
from integrations.stripe.pages.presenters.billing import billing_of, what_is_left_out
from integrations.stripe.pages.presenters.blank import candidates, domains_of
from integrations.stripe.pages.presenters.decisions import history
from integrations.stripe.pages.presenters.receipt import present_receipt
from integrations.stripe.sync import refresh


def visible_customer(request: HttpRequest, customer_id: int) -> Customer:
    """The customer, if this person may open it; raises Http404 otherwise."""
    return get_object_or_404(visible_customers(request.user).select_related("owner"), pk=customer_id)


@needs("customers.view_customer")
@require_GET
def receipt(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Every line of the MRR, adding up to the cent."""
    customer = visible_customer(request, customer_id)
    billing = billing_of(request, customer)
    if not billing.has_figures:
        return redirect(f"{customer.get_absolute_url()}#why")
    context = {
        "customer": customer,
        "receipt": present_receipt(billing),
        "left_out": what_is_left_out(billing.summary),
    }
    return render(request, "stripe/customer/receipt.html", context)


@needs("customers.view_customer")
@require_GET
def decisions(request: HttpRequest, customer_id: int) -> HttpResponse:
    """**History of match decisions** about this customer; undone from here by those who may decide."""
    customer = visible_customer(request, customer_id)
    connection = billing_of(request, customer).connection
    if connection.pk is None:
        raise Http404
    context = {
        "customer": customer,
        "connection": connection,
        "history": history(request, connection, customer=customer),
        "may_decide": may(request, DECIDE),
    }
    return render(request, "stripe/customer/decisions.html", context)


@needs("customers.view_customer")
@require_POST
def resync(request: HttpRequest, customer_id: int) -> HttpResponse:
    """Read everything behind this customer fresh, now, and say what came of it."""
    customer = visible_customer(request, customer_id)
    billing = billing_of(request, customer)
    connection = billing.connection
    if connection.pk is None:
        notices.problem(request, IntegrationError("reauthorize", _("Stripe was never connected.")))
        return redirect(customer)
    stripe_ids = [each.stripe.stripe_id for each in billing.attached]
    if not stripe_ids:
        stripe_ids = [row.stripe_id for row in candidates(connection, domains_of(customer))]
    if not stripe_ids:
        messages.info(request, _("No Stripe customer we know of has this domain; the next sync looks again."))
        return redirect(customer)
    try:
        results = [refresh.refresh(connection, stripe_id, actor=person(request)) for stripe_id in stripe_ids]
    except IntegrationError as error:
        notices.problem(request, error)
    else:
        notices.refreshed(request, results)
    return redirect(customer)
