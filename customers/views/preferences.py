"""What a person may set for themselves: the daily mail."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from customers import daily_mail
from customers.forms import DailyMailForm
from customers.views.access import needs, person


@require_http_methods(["GET", "HEAD", "POST"])
@needs("customers.view_customer")
def preferences(request: HttpRequest) -> HttpResponseBase:
    """Whether this person gets a mail about their customers each morning."""
    user = person(request)
    if request.method == "POST":
        form = DailyMailForm(request.POST)
        form.full_clean()  # a box is ticked or not; there is nothing to refuse
        daily_mail.subscribe(user, wanted=form.cleaned_data["wanted"])
        messages.success(request, _("Saved."))
        return redirect("customers:daily_mail")
    form = DailyMailForm(initial={"wanted": daily_mail.is_subscribed(user)})
    return render(request, "customers/daily_mail.html", {"form": form})
