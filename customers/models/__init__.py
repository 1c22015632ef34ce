"""Customers and what is kept about them, one file per noun."""

from customers.models.activity import Activity
from customers.models.customer import AtRisk, BillingFlag, Customer, Environment, PaymentStatus, Status
from customers.models.digest import DailyMail
from customers.models.domain import CustomerDomain, PersonalDomain
from customers.models.mrr_point import MrrPoint
from customers.models.saved_view import SavedView
from customers.models.tally import CustomerTally

__all__ = [
    "Activity",
    "AtRisk",
    "BillingFlag",
    "Customer",
    "CustomerDomain",
    "CustomerTally",
    "DailyMail",
    "Environment",
    "MrrPoint",
    "PaymentStatus",
    "PersonalDomain",
    "SavedView",
    "Status",
]
