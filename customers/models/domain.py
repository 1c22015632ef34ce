"""Domains: a customer's extra ones, and which e-mail domains belong to people rather than companies."""

from __future__ import annotations

from typing import Any, TypedDict

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Reverse
from django.utils.translation import gettext_lazy as _

from customers.domains import normalise, to_ascii


class Overrides(TypedDict):
    """The workspace's changes to the list of personal domains."""

    added: frozenset[str]
    allowed: frozenset[str]


class PersonalDomainManager(models.Manager["PersonalDomain"]):
    """Reads the workspace's changes to the packaged list."""

    def overrides(self) -> Overrides:
        """Domains the workspace calls personal, and listed ones it says are a company's."""
        added: set[str] = set()
        allowed: set[str] = set()
        for domain, personal in self.values_list("domain", "personal"):
            (added if personal else allowed).add(domain)
        return {"added": frozenset(added), "allowed": frozenset(allowed)}


class PersonalDomain(models.Model):
    """One change to the packaged list of personal e-mail domains (docs/rules.md section 2)."""

    domain = models.CharField(_("domain"), max_length=253, unique=True, db_collation="C")
    personal = models.BooleanField(_("personal"), default=True, help_text=_("Off: a company owns this domain."))

    objects = PersonalDomainManager()

    class Meta:
        ordering = ["domain"]
        verbose_name = _("personal domain")
        verbose_name_plural = _("personal domains")

    def __str__(self) -> str:
        return self.domain

    def clean(self) -> None:
        """Normalise the domain; raises ValidationError when it is none."""
        try:
            self.domain = to_ascii(self.domain)
        except ValueError as error:
            raise ValidationError({"domain": str(error)}) from error

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Normalise on every write."""
        self.clean()
        super().save(*args, **kwargs)


class CustomerDomain(models.Model):
    """An extra domain (alias) of a customer, which matches like its own; unique within the environment."""

    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="domains")
    environment = models.CharField(max_length=10, editable=False)
    domain = models.CharField(_("domain"), max_length=320, db_collation="C")

    class Meta:
        ordering = ["domain"]
        verbose_name = _("extra domain")
        verbose_name_plural = _("extra domains")
        constraints = [
            models.UniqueConstraint(fields=["environment", "domain"], name="customer_domain_unique_in_environment")
        ]
        indexes = [models.Index("environment", Reverse("domain"), name="extra_domain_backwards")]

    def __str__(self) -> str:
        return self.domain

    def clean(self) -> None:
        """Normalise the domain and follow the customer's environment; raises ValidationError when it is none."""
        try:
            self.domain = normalise(self.domain, **PersonalDomain.objects.overrides())
        except ValueError as error:
            raise ValidationError({"domain": str(error)}) from error
        self.environment = self.customer.environment

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Normalise on every write."""
        self.clean()
        super().save(*args, **kwargs)
