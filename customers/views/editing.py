"""Creating and changing a customer: fields, status, extra domains."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from customers import services, wording
from customers.forms import CustomerForm, DomainForm, StatusForm
from customers.listing import url_of_environment
from customers.models import Customer, Environment
from customers.views.access import needs, open_customer, person
from customers.views.record import trail

EDITED = ("name", "domain", "owner", "environment")


@require_http_methods(["GET", "HEAD", "POST"])
@needs("customers.add_customer")
def create(request: HttpRequest) -> HttpResponseBase:
    """A new customer; the environment offered first is the one the list showed."""
    asked = request.GET.get("environment", "")
    environment = asked if asked in Environment.values else Environment.PRODUCTION.value
    form = CustomerForm(request.POST or None, initial={"environment": environment, "owner": request.user})
    if request.method == "POST" and form.is_valid():
        try:
            customer = services.create_customer(actor=person(request), **_edited(form))
        except ValidationError as error:
            show_errors(form, error)
        else:
            messages.success(request, _("%(name)s was created.") % {"name": customer.name})
            return redirect(customer)
    context = {
        "form": form,
        "trail": [(_("Customers"), url_of_environment(environment)), (_("New customer"), "")],
    }
    return render(request, "customers/create.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs("customers.change_customer")
def edit(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Name, domain, owner and environment; the five billing fields are shown, not offered."""
    customer = open_customer(request, customer_id)
    form = CustomerForm(request.POST or None, instance=customer)
    if request.method == "POST" and form.is_valid():
        try:
            changed = services.update_customer(customer, actor=person(request), **_edited(form))
        except ValidationError as error:
            show_errors(form, error)
        else:
            say = _("Saved.") if changed else _("Nothing was different, so nothing was saved.")
            messages.success(request, say)
            return redirect(customer)
    return _edit_page(request, customer, form, DomainForm())


def _edit_page(
    request: HttpRequest, customer: Customer, form: CustomerForm, domain_form: DomainForm
) -> HttpResponseBase:
    context = {
        "customer": customer,
        "form": form,
        "domain_form": domain_form,
        "domains": list(customer.domains.all()),
        "may_add_domains": request.user.has_perm("customers.add_customerdomain"),
        "trail": trail(customer, (_("Edit"), "")),
    }
    return render(request, "customers/edit.html", context)


@require_POST
@needs("customers.change_customer")
def status(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """Change the status from its menu."""
    customer = open_customer(request, customer_id)
    form = StatusForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("There is no such status. Nothing was changed."))
    elif services.set_status(customer, form.cleaned_data["status"], actor=person(request)):
        said = {"name": customer.name, "status": wording.mid_sentence(customer.get_status_display())}
        messages.success(request, _("%(name)s is now %(status)s.") % said)
    return redirect(customer)


@require_POST
@needs("customers.add_customerdomain")
def domain_add(request: HttpRequest, customer_id: int) -> HttpResponseBase:
    """One more domain to match on; a mistake shows the edit page again with its sentence."""
    customer = open_customer(request, customer_id)
    form = DomainForm(request.POST)
    if form.is_valid():
        try:
            extra = services.add_domain(customer, form.cleaned_data["domain"], actor=person(request))
        except ValidationError as error:
            show_errors(form, error)
        else:
            messages.success(request, _("%(domain)s was added.") % {"domain": extra.domain})
            return redirect("customers:edit", customer_id=customer.pk)
    return _edit_page(request, customer, CustomerForm(instance=customer), form)


@require_POST
@needs("customers.delete_customerdomain")
def domain_remove(request: HttpRequest, customer_id: int, domain_id: int) -> HttpResponseBase:
    """Take an extra domain away."""
    customer = open_customer(request, customer_id)
    extra = get_object_or_404(customer.domains, pk=domain_id)
    services.remove_domain(extra, actor=person(request))
    messages.success(request, _("%(domain)s was removed.") % {"domain": extra.domain})
    return redirect("customers:edit", customer_id=customer.pk)


def _edited(form: CustomerForm) -> Any:
    return {name: form.cleaned_data[name] for name in EDITED}


def show_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Put a service's objection where the form shows it; what belongs to no field of it goes on top."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, errors in error.error_dict.items():
        form.add_error(name if name in form.fields else None, ValidationError(errors))
