"""What the filters of the customer list offer: the plans and the owners there are, in one query."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db import connection

# Hops from one label to the next in the index instead of reading all rows.
_CHOICES = """
WITH RECURSIVE labels AS (
    (SELECT plan_label FROM customers_customer
     WHERE environment = %(environment)s AND plan_label > '' ORDER BY plan_label LIMIT 1)
    UNION ALL
    SELECT (SELECT plan_label FROM customers_customer
            WHERE environment = %(environment)s AND plan_label > labels.plan_label ORDER BY plan_label LIMIT 1)
    FROM labels WHERE labels.plan_label IS NOT NULL
)
(SELECT plan_label, NULL, '', '', '' FROM labels WHERE plan_label IS NOT NULL LIMIT 500)
UNION ALL
(SELECT '', u.id, u.first_name, u.last_name, u.username FROM auth_user u
 WHERE EXISTS (SELECT 1 FROM customers_customer c WHERE c.environment = %(environment)s AND c.owner_id = u.id)
 ORDER BY u.first_name, u.last_name, u.username)
"""


@dataclass(slots=True)
class FilterChoices:
    """Plan labels in their order; people who own a customer, in the order of their names."""

    plans: list[str] = field(default_factory=list)
    owners: list[User] = field(default_factory=list)


def choices_in(environment: str) -> FilterChoices:
    """The choices of one environment."""
    found = FilterChoices()
    with connection.cursor() as cursor:
        cursor.execute(_CHOICES, {"environment": environment})
        for plan, owner, first, last, username in cursor.fetchall():
            if owner is None:
                found.plans.append(plan)
            else:
                found.owners.append(User(pk=owner, first_name=first, last_name=last, username=username))
    return found
