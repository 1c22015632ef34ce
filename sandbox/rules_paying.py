"""The cases about paying: every row of what an invoice says, and what speaks when none does."""

from sandbox.rules_case import Case, Invoice, Subscription


def _invoices(slug: str, *invoices: Invoice) -> Case:
    return Case(slug, invoices=invoices)


def _open(slug: str, intent: str | None = None, attempts: int = 0, **more: object) -> Case:
    return Case(slug, invoices=(Invoice("open", intent, attempts=attempts, **more),))  # type: ignore[arg-type]


def _uncollectible(slug: str, attempts: int = 0, reason: str | None = None) -> Case:
    details = {"status_details": {"uncollectible": {"reason": reason}}} if reason else {}
    return Case(slug, invoices=(Invoice("uncollectible", attempts=attempts, fields=details),))


def _silent(slug: str, status: str, **fields: object) -> Case:
    """No invoice at all, so that the subscription's status speaks."""
    return Case(slug, (Subscription(status=status, fields=fields),), invoices=())


_NOTHING_DUE = {"amount_due": 0, "amount_paid": 0, "total": 0}

INVOICES = (
    _invoices("invoice-draft", Invoice("draft")),
    _invoices("invoice-void", Invoice("void")),
    _invoices("invoice-paid", Invoice("paid", "succeeded", attempts=1)),
    _invoices("invoice-paid-nothing-charged", Invoice(fields=_NOTHING_DUE)),
    _open("invoice-nothing-remaining", fields={"amount_remaining": 0}),
    _open("invoice-not-tried", "requires_payment_method"),
    _open("invoice-first-debit", "processing", 1),
    _open("invoice-capture-pending", "requires_capture", 1),
    _open("invoice-retry-under-way", "processing", 2),
    _open("invoice-action-required", "requires_action", 1),
    _open("invoice-declined", "requires_payment_method", 2, fields={"next_payment_attempt": 1_900_000_000}),
    _open("invoice-declined-unknown-intent", None, 1),
    _open("invoice-declined-canceled", "canceled", 1),
    _open("invoice-unknown-intent-status", "daydreaming", 1),
    _open("invoice-confirmation-required", "requires_confirmation", 1),
    _open("invoice-partly-paid", "succeeded", 1),
    _open("invoice-partly-paid-due", "succeeded", 1, due=-2),
    _open("invoice-sent", due=5),
    _open("invoice-sent-without-due-date", fields={"collection_method": "send_invoice"}),
    _open("invoice-sent-due", due=-2),
    _open("invoice-sent-due-declined", "requires_payment_method", 1, due=-2),
    _open("invoice-unknown-collection-due", due=-2, fields={"collection_method": "carrier_pigeon"}),
    _open("invoice-unknown-collection-auto", None, 1, fields={"collection_method": "carrier_pigeon"}),
    _uncollectible("invoice-set-aside", 2, "subscription_paused"),
    _uncollectible("invoice-given-up", 0, "max_payment_attempts"),
    _uncollectible("invoice-given-up-after-attempts", 3),
    _uncollectible("invoice-written-off"),
    _invoices("invoice-unknown-status", Invoice("misplaced"), Invoice("paid", days=33)),
    _invoices("newest-that-speaks", Invoice("draft"), Invoice("paid", days=33), Invoice("open", days=63, attempts=3)),
    _invoices(
        "newest-fails",
        Invoice("open", "requires_payment_method", attempts=1),
        Invoice("paid", "succeeded", days=33, attempts=1),
    ),
)

FALLBACKS = (
    _silent("silent-active", "active"),
    _silent("silent-unpaid", "unpaid"),
    _silent("silent-past-due", "past_due"),
    _silent("silent-past-due-by-invoice", "past_due", collection_method="send_invoice"),
    _silent("silent-incomplete", "incomplete"),
    Case("silent-worst-wins", (Subscription(status="incomplete"), Subscription(status="unpaid")), invoices=()),
)

CASES = (*INVOICES, *FALLBACKS)
