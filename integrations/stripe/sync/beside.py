"""What is read beside the subscriptions: invoices and payments, on endpoints that have rates of their own.

The subscriptions' thread writes these pages too, between its own. Each list has its lanes in the checkpoint, so what is
not through when the subscriptions are goes on in the phase of its own. Open invoices come before paid ones: one that is
paid meanwhile is met in both lists then, never in none.
"""

from __future__ import annotations

from threading import Event

from integrations.stripe.sync.examined import since_last
from integrations.stripe.sync.fetch import WAIT_SECONDS, Fetched, Fetcher
from integrations.stripe.sync.lanes import Split, Stored, first_lanes
from integrations.stripe.sync.paid_invoices import begin_with_news, keep_news, next_stretch
from integrations.stripe.sync.unsettled import number_to_examine
from integrations.stripe.sync.walking import PAGES_A_BATCH, Sift, fetcher_of, write_held
from integrations.stripe.sync.walks import OPEN_INVOICES, PAID_INVOICES, PAYMENTS, UNCOLLECTIBLE_INVOICES, Walk
from integrations.stripe.sync.work import Work

LONG = 500  # subscriptions; behind so many, a walk is long enough for anything to be read beside it
WORTH_READING_BESIDE = 100  # customers that wait for a paid invoice; fewer are settled in the twinkling of an eye
LOOK_AGAIN = 1.5  # how many times more subscriptions make it worth to look again whether paging pays


class Beside:
    """The lists beside one slice of a walk; ``phase`` is the walk's."""

    def __init__(self, work: Work, phase: str) -> None:
        self.work = work
        self.arrived = Event()
        self.tracks = (
            Track(work, phase, (PAYMENTS,), self.arrived),
            Track(work, phase, (OPEN_INVOICES, UNCOLLECTIBLE_INVOICES, PAID_INVOICES), self.arrived),
        )

    def write_ready(self) -> None:
        """Write what has come by now, without waiting for more; behind the end of a list the next one is begun."""
        if self.work.read >= LONG:
            for track in self.tracks:
                track.begin()
            self._write_ready()

    def finish(self) -> None:
        """Write what is under way to its end, or to that of the slice; nothing more is begun."""
        while self._write_ready() and not self.work.is_over:
            if not self.arrived.wait(WAIT_SECONDS):
                self.work.keep_lease()

    def _write_ready(self) -> bool:
        """Write what has come by now on all tracks; whether there is more to come."""
        self.arrived.clear()
        for track in self.tracks:
            track.write_ready()
        return any(track.fetcher for track in self.tracks)

    def close(self, *, failed: bool) -> None:
        """Write what was held back, unless the walk failed in a way that forbids it, and end the threads."""
        for track in self.tracks:
            track.stop()
        if not failed:
            for track in self.tracks:
                track.write()


class Track:
    """Lists of one endpoint, one after the other; ``fetcher`` reads the first of them while it is under way."""

    def __init__(self, work: Work, phase: str, walks: tuple[Walk, ...], arrived: Event) -> None:
        self.work = work
        self.phase = phase
        self.walks = list(walks)
        self.arrived = arrived
        self.lanes: list[Stored] = []
        self.held: list[Fetched] = []
        self.fetcher: Fetcher | None = None
        self.look_at = float(WORTH_READING_BESIDE)

    def write_ready(self) -> None:
        """Write what has come by now, in batches; behind the last page the threads end."""
        if self.fetcher is None:
            return
        is_last = not self.fetcher.is_reading
        for fetched in self.fetcher.ready():
            if isinstance(fetched, Split):
                fetched.apply(self.lanes)
            else:
                self.held.append(fetched)
            if len(self.held) >= PAGES_A_BATCH:
                self.write()
        if is_last:
            self.write()
            self.stop()

    def write(self) -> None:
        """Write the pages held back."""
        if self.held:
            write_held(self.work, self.walks[0], self.lanes, self.held, self._sift, self.phase)

    def stop(self) -> None:
        """End the threads; what they had not handed over is read again."""
        if self.fetcher is not None:
            self.fetcher.close(abort=self.fetcher.is_busy)
            self.fetcher = None

    @property
    def _sift(self) -> Sift | None:
        return keep_news if self.walks[0] is PAID_INVOICES else None

    def begin(self) -> None:
        """Set threads to work on the next list that is not through, unless one is under way, or none can be yet."""
        walks = self.work.checkpoint["walks"]
        while self.walks and self.fetcher is None:
            what = self.walks[0]
            if what is PAID_INVOICES:
                if not self._has_stretch():
                    return
                self.lanes = walks[what.name]
            else:
                self.lanes = walks.setdefault(what.name, first_lanes())
                if all(lane["done"] for lane in self.lanes):
                    self.walks.pop(0)
                    continue
            self.fetcher = fetcher_of(self.work, what, self.lanes, self.arrived)
            self.fetcher.start()

    def _has_stretch(self) -> bool:
        """Whether there is something of the paid invoices to read, as far as can be said by now.

        Customers that come later only make more pages pay, so what pays for those known is never too much.
        """
        lanes: list[Stored] = self.work.checkpoint["walks"].get(PAID_INVOICES.name, [])
        if not lanes and since_last(self.work) is not None:
            lanes = self.work.checkpoint["walks"].setdefault(PAID_INVOICES.name, [])
            begin_with_news(self.work, lanes)
        if lanes and lanes[-1]["from"] is not None and not all(lane["done"] for lane in lanes):
            return True
        read = self.work.read
        if read < self.look_at:
            return False
        self.look_at = read * LOOK_AGAIN
        if not lanes or lanes[-1]["from"] is not None:
            if number_to_examine(self.work) < WORTH_READING_BESIDE:
                return False
            lanes = self.work.checkpoint["walks"].setdefault(PAID_INVOICES.name, [])
        if lanes[-1:] and lanes[-1]["done"] and lanes[-1]["from"] is None:
            self.walks.pop(0)  # everything there is was paged
            return False
        scale = max(1.0, self.work.run.expected / read)
        found = next_stretch(self.work, lanes, keep_news, phase=self.phase, scale=scale)
        if found:
            self.look_at = 0.0  # the next stretch is looked for as soon as this one is through
        return found
