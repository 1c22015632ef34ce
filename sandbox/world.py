"""Everything a running sandbox holds, wired together."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from sandbox import API_VERSION
from sandbox.accounts import ACCOUNTS, APP_NAME, CLIENT_IDS, FIELDNOTE, MODES
from sandbox.api import ReadApi
from sandbox.auth import Keyring, Principal
from sandbox.clock import Clock, start_of_day
from sandbox.errors import ApiError
from sandbox.faults import Faults, Mutation
from sandbox.grants import GrantBook
from sandbox.identifiers import make_id
from sandbox.journal import Journal
from sandbox.kinds import PERMISSIONS
from sandbox.limits import RateLimits
from sandbox.mutations import Mutations
from sandbox.oauth import OAuth
from sandbox.shapes import Json, build
from sandbox.state import Change, Grant, SavedState, StateFile
from sandbox.store import Dataset
from sandbox.webhooks import Deliverer

Generate = Callable[[str, str, int], Dataset]


@dataclass
class Settings:
    """What the command line decides. Rates are requests per second, 0 = unlimited."""

    seed: int = 7
    profile: str = "demo"
    latency_ms: int = 0
    rate_per_endpoint: float = 0
    rate_per_account: float = 0


class World:
    """The state of a sandbox. `generate` makes the data of an account and mode, as of a midnight in Unix seconds."""

    def __init__(self, settings: Settings, generate: Generate, state_file: StateFile) -> None:
        self.settings = settings
        self._generate = generate
        self._state_file = state_file
        self.state = state_file.load()
        self.clock = Clock(self.state.clock_offset_seconds)
        self.base = start_of_day(Clock().now())
        self.grants = GrantBook(self.state, self.clock, self.save)
        self.keyring = Keyring(self.state, self.grants, self.clock, self.save)
        self.limits = RateLimits(settings.rate_per_endpoint, settings.rate_per_account)
        self.faults = Faults()
        self.journal = Journal()
        self.webhooks = Deliverer(self.grants.is_connected)
        self.webhooks.endpoints = self.state.webhooks
        self.oauth = OAuth(self.grants, list(PERMISSIONS), self._authorized)
        self.mutations = Mutations(self.clock, self.announce, self._remember)
        self.api = ReadApi(self.data, self.clock)
        self._datasets: dict[tuple[str, str], Dataset] = {}
        self._changed: set[tuple[str, str]] = set()
        self._first_settings = replace(settings)

    def data(self, account: str, mode: str) -> Dataset:
        """The data of an account and mode, made on first use. Raises ApiError 404 for one that does not exist."""
        name = (account, mode)
        if account not in ACCOUNTS or mode not in MODES:
            raise ApiError(404, f"No such account and mode: {account}, {mode}")
        if name not in self._datasets:
            dataset = self._generate(account, mode, self.base)
            for change in self.state.changes:
                if (change.account, change.mode) == name:
                    _restore(dataset, change)
                    if change.kind == "prices" and change.value is not None:
                        self.mutations.show_price(dataset, change.value)
            self._datasets[name] = dataset
        return self._datasets[name]

    def announce(self, dataset: Dataset, event: Json) -> None:
        """Deliver an event to its webhooks, keeping count of those still on the way."""

        def done(event_id: str) -> None:
            stored = dataset.read("events", event_id)
            if stored is not None:
                dataset.write("events", {**stored, "pending_webhooks": max(0, stored["pending_webhooks"] - 1)})

        pending = self.webhooks.deliver(event, dataset.account, dataset.mode, done)
        if pending:
            event = {**event, "pending_webhooks": pending}
            dataset.write("events", event)
        self._remember(dataset, "events", event["id"], {**event, "pending_webhooks": 0})

    def mutate(self, mutation: Mutation, asking: Principal | None) -> None:
        """Apply a change that a fault asks for, by default to the data of whoever is asking."""
        account = mutation.account or (asking.account if asking else FIELDNOTE.id)
        mode = mutation.mode or (asking.mode if asking else MODES[0])
        dataset = self.data(account, mode)
        if mutation.method == "DELETE":
            self.mutations.delete(dataset, mutation.kind, mutation.id, mutation.event)
        elif mutation.method == "PUT":
            self.mutations.put(dataset, mutation.kind, mutation.id, mutation.object, mutation.event)
        else:
            self.mutations.patch(dataset, mutation.kind, mutation.id, mutation.object, mutation.event)

    def uninstall(self, account: str, mode: str) -> int:
        """End the app's access as the account's owner would; returns how many grants ended."""
        self._tell_application(account, mode, "account.application.deauthorized")
        return self.grants.revoke(account, mode)

    def reset(self) -> None:
        """Begin anew: no grants, keys, webhooks, faults or changes, and the pace of the command line."""
        for field, value in msgspec.structs.asdict(SavedState()).items():
            setattr(self.state, field, value)
        self.webhooks.forget()
        self.webhooks.endpoints = self.state.webhooks
        if self.clock.offset_seconds:
            self._datasets.clear()  # one that was generated meanwhile counts its dates from the moved clock
        self.clock.offset_seconds = 0
        self.oauth.permissions = list(PERMISSIONS)
        self.faults.clear()
        self.journal.clear()
        self.settings.latency_ms = self._first_settings.latency_ms
        self.limits.per_endpoint = self._first_settings.rate_per_endpoint
        self.limits.per_account = self._first_settings.rate_per_account
        for name in self._changed:
            self._datasets.pop(name, None)
        self._changed.clear()
        self.save()

    def save(self) -> None:
        """Write what must survive a restart."""
        self.state.clock_offset_seconds = self.clock.offset_seconds
        self._state_file.save(self.state)

    def _authorized(self, grant: Grant) -> None:
        self._tell_application(grant.account, grant.mode, "account.application.authorized")

    def _tell_application(self, account: str, mode: str, event_type: str) -> None:
        client_id = next(client for client, client_mode in CLIENT_IDS.items() if client_mode == mode)
        event = build(
            "event",
            id=make_id("event", secrets.token_hex(16)),
            api_version=API_VERSION,
            created=self.clock.now(),
            data={"object": {"id": client_id, "object": "application", "name": APP_NAME}},
            livemode=mode == "live",
            type=event_type,
        )
        self.webhooks.deliver(event, account, mode, lambda _: None)

    def _remember(self, dataset: Dataset, kind: str, object_id: str, value: Json | None) -> None:
        name = (dataset.account, dataset.mode, kind, object_id)
        self._changed.add(name[:2])
        if not self._state_file.is_kept:
            return
        kept = [one for one in self.state.changes if (one.account, one.mode, one.kind, one.id) != name]
        self.state.changes = [*kept, Change(*name, value)]
        self.save()


def _restore(dataset: Dataset, change: Change) -> None:
    if change.kind == "discounts":
        dataset.discounts[change.id] = msgspec.json.encode(change.value)
    elif change.value is None:
        dataset.remove(change.kind, change.id)
    else:
        dataset.write(change.kind, change.value)
