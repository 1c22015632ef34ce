"""The customer: what a company is to the workspace, and the five billing fields an integration fills in."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Coalesce, Lower, Reverse
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from customers.domains import normalise
from customers.models.domain import PersonalDomain


class Environment(models.TextChoices):
    """Production customers are billed live; staging customers carry test data."""

    PRODUCTION = "production", _("Production")
    STAGING = "staging", _("Staging")


class Status(models.TextChoices):
    """Set by people, never by an integration."""

    ACTIVE = "active", _("Active")
    AT_RISK = "at_risk", _("At risk")
    CHURNED = "churned", _("Churned")
    ARCHIVED = "archived", _("Archived")


class PaymentStatus(models.TextChoices):
    """What the newest speaking invoice says (docs/rules.md section 5)."""

    PAID = "paid", _("Paid")
    PAST_DUE = "past_due", _("Past due")
    FAILING = "failing", _("Failing")
    NONE = "none", _("No payment status")


class BillingFlag(models.TextChoices):
    """What a reader of the billing fields has to know beside them."""

    UNDECIDED = "undecided", _("Undecided")
    INCOMPLETE = "incomplete", _("Incomplete")
    OLDER_INVOICE_OPEN = "older_invoice_open", _("Older invoice open")


class AtRisk(models.TextChoices):
    """Why a customer's MRR is at risk within 30 days (docs/rules.md section 8); not the status people set."""

    FAILING = "failing", _("Payment failing")
    ENDING = "ending", _("Set to end")


def name_words() -> SearchVector:
    """The words of a name, as the index holds them: punctuation that would glue words together becomes a blank."""
    apart = models.Func(models.F("name"), models.Value("./@_-"), models.Value("     "), function="translate")
    return SearchVector(apart, config="simple")


def payment_rank() -> models.Case:
    """Payment statuses from worst to best: failing 0, past due 1, paid 2, none 3."""
    order = (PaymentStatus.FAILING, PaymentStatus.PAST_DUE, PaymentStatus.PAID)
    ranks = [models.When(payment_status=status, then=models.Value(rank)) for rank, status in enumerate(order)]
    return models.Case(*ranks, default=models.Value(3), output_field=models.IntegerField())


def place_with_owner() -> models.expressions.Combinable:
    """The place among the customers of an owner: by number, but as nothing that the primary key is in the order of.

    It would be preferred to the index of owners, and be walked from end to end for an owner of few.
    """
    return models.F("id") + models.Value(0)


LONG_AGO, FAR_AHEAD = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def since_or(never: datetime) -> Coalesce:
    """When billing began, and ``never`` for whom it did not: LONG_AGO or FAR_AHEAD, as the indexes have them."""
    return Coalesce("billing_started_at", models.Value(never, output_field=models.DateTimeField()))


class CustomerQuerySet(models.QuerySet["Customer"]):
    """Customers narrowed by what people ask for."""

    def in_environment(self, environment: str) -> CustomerQuerySet:
        """Customers of one environment; the two are never added up."""
        return self.filter(environment=environment)

    def matchable(self) -> CustomerQuerySet:
        """Customers that an integration may attach something to: archived ones never match."""
        return self.exclude(status=Status.ARCHIVED)


class Customer(models.Model):
    """A company the workspace looks after.

    ``domain`` is the match key, normalised on every write. The billing fields are written by an integration alone:
    ``mrr`` in USD a month, ``plan`` raw and ``plan_label`` as people read it. ``billing_as_of`` is when they were last
    known to be true, ``next_change_at`` when the clock alone will change them. ``mrr_at_risk`` is what of the MRR
    is at risk within 30 days, None while nobody has worked it out; ``at_risk_reason`` is empty when nothing is at risk.
    """

    environment = models.CharField(_("environment"), max_length=10, choices=Environment, default=Environment.PRODUCTION)
    name = models.CharField(_("name"), max_length=255)
    domain = models.CharField(
        _("domain"), max_length=320, blank=True, default="", db_collation="C", help_text=_("Like acme.com.")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ACTIVE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("owner"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="customers",
    )
    created_by_source = models.CharField(max_length=20, blank=True, default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    plan = models.TextField(_("plan"), blank=True, default="", editable=False)
    plan_label = models.TextField(_("plan label"), blank=True, default="", editable=False)
    mrr = models.DecimalField(_("MRR"), max_digits=18, decimal_places=2, default=Decimal("0.00"), editable=False)
    payment_status = models.CharField(
        _("payment status"), max_length=8, choices=PaymentStatus, default=PaymentStatus.NONE, editable=False
    )
    billing_started_at = models.DateTimeField(_("billed since"), null=True, blank=True, editable=False)
    stripe_customer_id = models.CharField(max_length=255, blank=True, default="", db_collation="C", editable=False)

    billing_source = models.CharField(max_length=20, blank=True, default="", editable=False)
    billing_as_of = models.DateTimeField(null=True, blank=True, editable=False)
    billing_flags = ArrayField(
        models.CharField(max_length=20, choices=BillingFlag), default=list, blank=True, editable=False
    )
    next_change_at = models.DateTimeField(null=True, blank=True, editable=False)
    mrr_at_risk = models.DecimalField(max_digits=18, decimal_places=2, null=True, blank=True, editable=False)
    at_risk_reason = models.CharField(
        max_length=8, choices=AtRisk, blank=True, default="", db_default="", editable=False
    )
    at_risk_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        indexes = [
            models.Index(fields=["environment", "domain"], name="customer_domain"),
            # Finds what ends like this: sub-domains of a domain, addresses on it.
            models.Index("environment", Reverse("domain"), name="customer_domain_backwards"),
            models.Index(fields=["environment", "mrr", "id"], name="customer_mrr"),
            models.Index("environment", Lower("name"), "id", name="customer_name"),
            models.Index(fields=["environment", "plan_label", "id"], name="customer_plan"),
            models.Index("environment", "owner", place_with_owner(), name="customer_of_owner"),
            models.Index("environment", payment_rank(), "id", name="customer_payment"),
            # Those never billed come last in both directions, so that one index cannot be read both ways.
            models.Index("environment", since_or(FAR_AHEAD), "id", name="customer_since"),
            models.Index("environment", since_or(LONG_AGO), "id", name="customer_since_latest"),
            # New words wait in a list that every search reads from its beginning to its end: it stays short.
            GinIndex(name_words(), name="customer_words", gin_pending_list_limit=64),
            models.Index(
                fields=["next_change_at"], name="customer_next_change", condition=models.Q(next_change_at__isnull=False)
            ),
            # Few are at risk, and after an upgrade soon nobody's risk is unknown: both are found without the rest.
            models.Index(
                fields=["environment", "mrr_at_risk", "id"],
                name="customer_at_risk",
                condition=~models.Q(at_risk_reason=""),
            ),
            models.Index(
                fields=["id"],
                name="customer_risk_unknown",
                condition=models.Q(mrr_at_risk__isnull=True) & ~models.Q(billing_source=""),
            ),
            models.Index(fields=["stripe_customer_id"], name="customer_stripe_id"),
            # Few are flagged: they are found, in the usual order, without the rest.
            models.Index(
                fields=["environment", "mrr", "id"], name="customer_flagged", condition=~models.Q(billing_flags=[])
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(name=""), name="customer_has_name"),
            models.CheckConstraint(condition=models.Q(mrr__gte=0), name="customer_mrr_not_negative"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Bring the domain into the one form that is compared.

        Raises ValidationError when it is no domain and no personal address.
        """
        try:
            self.domain = normalise(self.domain, **PersonalDomain.objects.overrides()) if self.domain else ""
        except ValueError as error:
            raise ValidationError({"domain": str(error)}) from error

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Normalise the domain on every write of it, whoever writes."""
        fields = kwargs.get("update_fields")
        if fields is None or "domain" in fields:
            self.clean()
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        """The page of the customer; the slug behind the id is decorative."""
        slug = slugify(self.name)
        return reverse("customers:detail", kwargs={"customer_id": self.pk, "slug": slug}) if slug else self.short_url

    @property
    def short_url(self) -> str:
        """The page of the customer by its number alone, good after any rename."""
        return reverse("customers:detail", kwargs={"customer_id": self.pk})

    @property
    def web_domain(self) -> str:
        """What follows the @ of a personal address, else the domain itself."""
        return self.domain.rpartition("@")[2]

    @property
    def is_test_data(self) -> bool:
        """Whether everything billed here is test data."""
        return self.environment == Environment.STAGING
