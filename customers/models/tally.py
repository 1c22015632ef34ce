"""Sums over all customers, so that a list of everybody does not add everybody up each time."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models.customer import Environment, PaymentStatus, Status


class CustomerTally(models.Model):
    """By how many customers and how much MRR a statement moved one kind of customer; all together are what there is.

    Triggers on the table of customers write it, whoever writes a customer (migration 0006), in the same transaction:
    a reader sees the customers and their sums of one and the same moment. Rows are only added, so that two writers
    never wait for each other; ``customers.tallies`` folds them.
    """

    environment = models.CharField(max_length=10, choices=Environment)
    status = models.CharField(max_length=8, choices=Status)
    payment_status = models.CharField(max_length=8, choices=PaymentStatus)
    incomplete = models.BooleanField()
    at_risk = models.BooleanField()
    risk_unknown = models.BooleanField()
    customers = models.BigIntegerField()
    mrr = models.DecimalField(max_digits=30, decimal_places=2)
    risk_mrr = models.DecimalField(max_digits=30, decimal_places=2)

    class Meta:
        verbose_name = _("sum over customers")
        verbose_name_plural = _("sums over customers")

    def __str__(self) -> str:
        return f"{self.customers:+d} {self.environment} {self.status} {self.payment_status}"
