"""A clock that is set back an hour, between runs and during one."""

from datetime import timedelta

from p2pchat.history import Bounds
from tests.store.cases import BOB, StoreCase, at, received, texts, uuid

HOUR = 3600


class ClockTests(StoreCase):
    bounds = Bounds(max_days=1)

    def exchange(self, number: int) -> None:
        """Receive a message and queue one, by the clock as it stands."""
        self.receive(received(number, f"in {number}", time=self.now))
        self.get(self.history.queue(BOB, uuid(1000 + number), f"out {number}", self.now))
        self.now += timedelta(seconds=1)

    def step_back(self, restart: bool) -> None:
        """Exchange three messages before and three after the clock is set back."""
        self.now = at(HOUR)
        for number in (1, 2, 3):
            self.exchange(number)
        self.reactor.advance(1)
        self.now = at(0)
        if restart:
            self.restart()
        for number in (4, 5, 6):
            self.exchange(number)

    def check(self) -> None:
        numbers = (1, 2, 3, 4, 5, 6)
        unread = self.get(self.history.unread(100))
        self.assertEqual(unread.total, 6)
        self.assertEqual(texts(unread.entries), [f"in {number}" for number in numbers])
        waiting = self.get(self.history.outbox())
        self.assertEqual([one.text for one in waiting], [f"out {number}" for number in numbers])
        # by time, as it was shown; what has the same time as it was stored
        shown = [f"{way} {number}" for number in (4, 5, 6, 1, 2, 3) for way in ("in", "out")]
        self.assertEqual(texts(self.all()), shown)
        self.assertEqual([entry.text for page in self.exported() for entry in page], shown)
        self.assertEqual(texts(self.get(self.history.entries(None, 2))), shown[-2:])

    def test_during_and_between_runs(self) -> None:
        for restart in (False, True):
            self.step_back(restart)
            self.check()
            self.reactor.advance(HOUR)
            self.check()
            self.restart()
            self.check()
            self.end()
            self.fill_folder({})
            self.begin()

    def test_what_is_too_old_goes_by_the_clock_and_nothing_else(self) -> None:
        self.step_back(restart=True)
        self.now = at(86400 + HOUR / 2)
        self.restart()
        # from before the step, but of a later hour
        self.assertEqual(
            [text for text in texts(self.all()) if "in" in text], ["in 1", "in 2", "in 3"]
        )
        self.assertEqual(len(self.get(self.history.outbox())), 6)

    def test_a_peer_and_what_is_read(self) -> None:
        self.get(self.history.peer_seen(BOB, [], at(HOUR)))
        self.step_back(restart=True)
        self.get(self.history.peer_seen(BOB, [], at(0)))
        (peer,) = self.get(self.history.peers())
        self.assertEqual(peer.last_contact, at(0))
        (last,) = self.get(self.history.unread(1)).entries
        self.get(self.history.read(last.stored_id))
        self.assertEqual(self.get(self.history.unread(1)).total, 0)
        self.exchange(7)
        self.assertEqual(self.get(self.history.unread(1)).total, 1)
