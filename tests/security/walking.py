"""Every address of the product, with rows behind it: found from the URL patterns, so that a new page is walked too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from customers.models import PersonalDomain, SavedView
from integrations.models import (
    AuditAction,
    DecisionJob,
    DecisionKind,
    DriftReport,
    MemberEffect,
)
from tests.factories import (
    ActivityFactory,
    AdminFactory,
    AdminRateFactory,
    CustomerDomainFactory,
    CustomerFactory,
    MrrPointFactory,
    OwnerFactory,
    StaffFactory,
    UserFactory,
    decide,
)
from tests.integrations.stripe.pages.factories import (
    ApiCallFactory,
    AttemptFactory,
    BillingSummaryFactory,
    ConnectionFactory,
    IssueFactory,
    RunFactory,
    StripeCustomerFactory,
    StripeInvoiceFactory,
    StripeSubscriptionFactory,
)

ROLES: dict[str, Any] = {
    "nobody": None,
    "member": UserFactory,
    "staff": StaffFactory,
    "admin": AdminFactory,
    "owner": OwnerFactory,
}
ARGUMENT = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>|\(\?P<(?P<named>\w+)>")
OF_DJANGO = {"jsi18n", "autocomplete", "view_on_site", "app_list", None}
NO_LINK = {"logout"}


def workspace() -> dict[str, Any]:
    """A row of every kind that a page shows; what addresses are made of, by the name of the argument."""
    from integrations import audit
    from integrations.models import (
        Attempt,
        DriftEntry,
        MonthlyReads,
        Notice,
        ScopeFilter,
        StripeCoupon,
        StripeEvent,
        StripeInvoicePayment,
        StripePaymentIntent,
        StripePrice,
        StripeProduct,
    )

    now = "2026-11-20T10:00:00Z"
    live = ConnectionFactory()
    ConnectionFactory(mode="test", account_id="acct_2", state="disconnected")
    customer = CustomerFactory(billed=True, billing_flags=["undecided", "incomplete"])
    extra = CustomerDomainFactory(customer=customer)
    for number in range(2):
        stripe = StripeCustomerFactory(
            connection=live, customer=customer, ambiguous_kind="shared_domain", ambiguous_since=now, winner=not number
        )
        StripeSubscriptionFactory(connection=live, customer_id=stripe.stripe_id)
        StripeInvoiceFactory(connection=live, customer_id=stripe.stripe_id, status="open" if number else "paid")
    StripeCustomerFactory(connection=live)
    StripeCustomerFactory(connection=live, match_state="skipped", match_reason="no_email")
    rows = {"connection": live, "observed_at": now}
    StripeProduct.objects.create(
        stripe_id="prod_growth", name="Growth", data={"id": "prod_growth", "name": "x"}, **rows
    )
    price = {"id": "price_growth", "currency": "usd", "product": "prod_growth", "nickname": "x"}
    StripePrice.objects.create(
        stripe_id="price_growth", product_id="prod_growth", lookup_key="growth_monthly", data=price, **rows
    )
    StripeCoupon.objects.create(stripe_id="co_1", data={"id": "co_1", "duration": "forever", "name": "x"}, **rows)
    payment = {"id": "inpay_1", "status": "open", "invoice": "in_1"}
    StripeInvoicePayment.objects.create(stripe_id="inpay_1", invoice_id="in_1", data=payment, **rows)
    StripePaymentIntent.objects.create(stripe_id="pi_1", data={"id": "pi_1", "status": "processing"}, **rows)
    StripeEvent.objects.create(
        connection=live, event_id="evt_1", type="invoice.paid", source="poll", object_id="in_1", created=now
    )
    ScopeFilter.objects.create(connection=live, kind="product", value="prod_growth", label="Growth")
    reason = {"why": "due", "message": "Invoice {number} was due on {due}, {amount_remaining} open", "invoice": "in_1", "number": "x", "currency": "usd"}
    BillingSummaryFactory(connection=live, customer=customer, payment_reason=reason)
    run = RunFactory(connection=live, state="partial", error_detail="x")
    RunFactory(connection=live, state="failed", error_code="stripe_unavailable", error_detail="x")
    issue = IssueFactory(connection=live, run=run, detail="x", answer="x")
    IssueFactory(connection=live, run=run, object_type="figure", severity="warning", code="no_exchange_rate")
    ApiCallFactory(connection=live, error_code="x", request_id="req_1")
    Attempt.objects.create(
        connection=live, kind="poll", state="failed", started_at=now, finished_at=now, error_detail="x", answer="x"
    )
    attempt = AttemptFactory(connection=live, kind="refresh", stripe_customer_id="cus_1", error_detail="x")
    report = DriftReport.objects.create(connection=live, run=run, different=1)
    DriftEntry.objects.create(report=report, kind="different", customer=customer, field="mrr", old="1", new="2")
    notice = Notice.objects.create(connection=live, kind="reauthorize", about="x", detail="x")
    MonthlyReads.objects.create(connection=live, month="2026-11-01")
    view = SavedView.objects.create(user=UserFactory(), name="x", query="pay=late")
    decision = decide(DecisionKind.KEEP_MERGED, {stripe: MemberEffect.ACKNOWLEDGED}, on=[customer])
    personal = PersonalDomain.objects.create(domain="x.example")
    job = DecisionJob.objects.create(
        connection=live, decision=decision, action="ignore", members=[stripe.stripe_id], error_detail="x"
    )
    ActivityFactory(customer=customer)
    MrrPointFactory(customer=customer)
    AdminRateFactory()
    audit.record(AuditAction.SCOPE, actor=None, connection=live, subject="x")
    return {
        "mode": "live",
        "customer_id": customer.pk,
        "domain_id": extra.pk,
        "slug": "a-name",
        "run_id": run.pk,
        "issue_id": issue.pk,
        "decision_id": decision.pk,
        "report_id": report.pk,
        "job_id": job.pk,
        "entry_id": personal.pk,
        "attempt_id": attempt.pk,
        "notice_id": notice.pk,
        "view_id": view.pk,
        "name": "troubleshooting",
        "app_label": "integrations",
    }


def patterns() -> Iterator[tuple[str, URLPattern]]:
    """Every pattern that is ours, with its whole route; those of Django admin's models are in `admin_addresses`."""

    def below(resolver: URLResolver, route: str) -> Iterator[tuple[str, URLPattern]]:
        for each in resolver.url_patterns:
            whole = route + str(each.pattern)
            if isinstance(each, URLResolver):
                if not re.fullmatch(r"admin/\w+/\w+/", whole):
                    yield from below(each, whole)
            elif not (route == "admin/" and each.name in OF_DJANGO):
                yield whole, each

    return below(get_resolver(), "")


def addresses(known: dict[str, Any]) -> list[str]:
    """Every address made of what is known. An argument nobody knows is a mistake: add it to `workspace`."""
    found = []
    for route, pattern in patterns():
        if pattern.name in NO_LINK:
            continue
        filled = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\]|[^()])*\)", r"<\1>", route).lstrip("^").rstrip("$")
        filled = ARGUMENT.sub(lambda match: str(known[match["name"]]), filled)
        found.append(f"/{filled}".replace("^", ""))
    return [*found, *admin_addresses()]


def admin_addresses() -> list[str]:
    """The list, the first row, its history and its forms of every model in Django admin."""
    found = []
    for model, options in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        found.append(reverse(f"{name}_add"))
        row = model._default_manager.first()
        if row is not None:
            found += [reverse(f"{name}_{view}", args=[row.pk]) for view in ("change", "history", "delete")]
        for extra in options.get_urls():
            if isinstance(extra, URLPattern) and not ARGUMENT.search(str(extra.pattern)) and extra.name:
                found.append(reverse(f"admin:{extra.name}"))
    return list(dict.fromkeys(found))


def signed_in(role: str) -> Client:
    """A browser of somebody in this role."""
    client = Client(raise_request_exception=False)
    if ROLES[role]:
        client.force_login(ROLES[role]())
    return client


def body_of(response: Any) -> str:
    """The whole answer as text."""
    return (b"".join(response.streaming_content) if response.streaming else response.content).decode()
