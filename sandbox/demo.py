"""The demo profile: stories written into the books, and the events of the last thirty days."""

from sandbox import API_VERSION, demo_live, demo_test
from sandbox.accounts import FIELDNOTE
from sandbox.clock import SECONDS_PER_DAY
from sandbox.events import type_of_change
from sandbox.identifiers import make_id
from sandbox.ledger import Ledger, Story
from sandbox.queries import EVENT_DAYS
from sandbox.shapes import build
from sandbox.store import Dataset


def demo_dataset(account: str, mode: str, seed: int, base: int) -> Dataset:
    """The data of an account and mode in the demo, as of the midnight `base`."""
    dataset = Dataset(account, mode)
    ledger = Ledger(dataset, seed, base)
    ledger.catalog.load()
    for story in _stories(account, mode):
        ledger.enter(story)
    if account == FIELDNOTE.id and mode == "test":
        _enter_on_a_clock(ledger)
    _end_what_is_canceled(dataset, base)
    _look_back(dataset, seed, base)
    return dataset


def _stories(account: str, mode: str) -> tuple[Story, ...]:
    if account != FIELDNOTE.id:
        return demo_test.OTHER_STORIES
    return demo_live.STORIES if mode == "live" else demo_test.STORIES


def _enter_on_a_clock(ledger: Ledger) -> None:
    ledger.enter(demo_test.CLOCKED)
    clock = ledger.id("test_clock", "clock")
    customer = ledger.id("customer", demo_test.CLOCKED.identity)
    for kind, found in (
        ("customers", [customer]),
        ("subscriptions", [one.id for one in ledger.dataset.collections["subscriptions"].where("customer", customer)]),
    ):
        for object_id in found:
            held = ledger.dataset.read(kind, object_id)
            if held is not None:
                ledger.dataset.write(kind, {**held, "test_clock": clock})


def _end_what_is_canceled(dataset: Dataset, base: int) -> None:
    """Canceled subscriptions ended some time ago; those of deleted customers are canceled too."""
    for entry in list(dataset.collections["subscriptions"]):
        deleted = entry.attributes["customer"] in dataset.removed
        if not deleted and entry.attributes["status"] not in {"canceled", "incomplete_expired"}:
            continue
        subscription = dataset.whole("subscriptions", entry)
        if deleted:
            subscription["status"] = "canceled"
        latest = dataset.read("invoices", subscription["latest_invoice"] or "")
        ended = min(base, (latest or subscription)["created"] + 12 * SECONDS_PER_DAY)
        subscription |= {"ended_at": ended, "canceled_at": ended}
        subscription["cancellation_details"]["reason"] = "cancellation_requested"
        dataset.write("subscriptions", subscription)


def _look_back(dataset: Dataset, seed: int, base: int) -> None:
    """One event for every object made in the last thirty days, as the account would list them."""
    for kind in ("customers", "subscriptions", "invoices"):
        for entry in list(dataset.collections[kind]):
            if entry.created < base - EVENT_DAYS * SECONDS_PER_DAY:
                break
            snapshot = dataset.whole(kind, entry)
            event_type = type_of_change(kind, None, snapshot)
            if kind == "invoices" and snapshot["status"] == "paid":
                event_type = "invoice.paid"
            event = build(
                "event",
                id=make_id("event", seed, dataset.account, dataset.mode, entry.id),
                api_version=API_VERSION,
                created=entry.created,
                data={"object": snapshot},
                livemode=dataset.livemode,
                type=event_type,
            )
            dataset.write("events", event)
