"""The test-mode customers of the demo, and the few that the second account has."""

from sandbox.ledger import Item, Plan, Story


def _plan(price: str, quantity: int | None, started: int, **rest: object) -> Plan:
    return Plan((Item(price, quantity),), started, **rest)  # type: ignore[arg-type]


STORIES = (
    Story("Acme Corp (test)", "dev@acme.com", (_plan("growth_monthly", 5, 95), _plan("starter_monthly", 5, 80))),
    Story(
        "QA, annual plans",
        "qa@qa-annual.fieldnote.dev",
        (_plan("scale_annual", 3, 70, payment="overdue", send_invoice=True, status="past_due"),),
    ),
    Story(
        "QA, declined cards",
        "qa@qa-declined.fieldnote.dev",
        (_plan("growth_monthly", 2, 64, status="past_due", payment="failing"),),
    ),
    Story(
        "QA, three-D secure",
        "qa@qa-3ds.fieldnote.dev",
        (_plan("growth_monthly", 1, 40, status="incomplete", payment="needs_action"),),
    ),
    Story("QA, bank debits", "qa@qa-debit.fieldnote.dev", (_plan("growth_monthly", 2, 33, payment="processing"),)),
    Story("Import rehearsal", "import@rehearsal.fieldnote.dev", (_plan("starter_monthly", 3, 50, older_open=True),)),
    Story("Sales demo", "sales@demo.fieldnote.dev", (_plan("starter_monthly", 2, 130),)),
    Story("Trial walk-through", "trial@trial.fieldnote.dev", (_plan("starter_monthly", 1, 6, status="trialing"),)),
    Story(
        "Tier playground", "dev@tiers.fieldnote.dev", (_plan("seats_graduated", 12, 44), _plan("seats_volume", 30, 44))
    ),
    Story("Coupon playground", "dev@coupons.fieldnote.dev", (_plan("growth_monthly", 4, 52, coupons=("LAUNCH20",)),)),
    Story(
        "Metered playground",
        "dev@metered.fieldnote.dev",
        (Plan((Item("starter_monthly", 1), Item("api_calls", None)), 61),),
    ),
    Story(
        "Currency playground",
        "dev@currencies.fieldnote.dev",
        (_plan("growth_monthly_eur", 3, 29), _plan("growth_monthly_jpy", 2, 29)),
    ),
    Story("Northwind (staging)", "dev@northwind.co", (_plan("scale_monthly", 2, 77),)),
    Story("A tester's own card", "tester@gmail.com", (_plan("starter_monthly", 1, 15),)),
    Story("Cancelled on purpose", "qa@qa-cancel.fieldnote.dev", (_plan("starter_monthly", 1, 88, status="canceled"),)),
    Story("Nobody's sandbox", "dev@nobody.fieldnote.dev", (_plan("starter_monthly", 1, 12),)),
)

CLOCKED = Story("On a test clock", "clock@clock.fieldnote.dev", (_plan("growth_monthly", 1, 20),))
"""Runs on a test clock, so lists leave it out unless they ask for the clock or the customer."""

OTHER_STORIES = (
    Story("Kleine Druckerei", "info@kleine-druckerei.de", (_plan("growth_monthly_eur", 2, 300),), country="DE"),
    Story("Große Druckerei", "info@grosse-druckerei.de", (_plan("growth_monthly_eur", 20, 500),), country="DE"),
)
