"""When a message counts as read."""

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.history import MAX_UNREAD, StoreError, Unread
from p2pchat.ui.reading import Reading
from tests.ui.fakes import FakeNode, received
from tests.ui.test_views import message


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = FakeNode()
        self.history = self.node.history
        self.reading = Reading(self.node)

    def show(self, *msg_ids: str) -> None:
        """Store messages and show them."""
        for msg_id in msg_ids:
            [stored_id] = self.history.keep(received(msg_id))
            self.reading.event_shown(message("hello", stored_id=stored_id))

    def test_what_was_shown_is_read_once(self) -> None:
        self.reading.line_entered("")
        self.show("b1", "b2")
        self.reading.line_entered("")
        self.reading.line_entered("")
        self.show("b3")
        self.reading.line_entered("/peers")
        self.assertEqual(self.history.read_up_to, [2, 3])

    def test_what_was_not_stored_is_not_marked(self) -> None:
        self.reading.event_shown(message("hello"))
        self.reading.line_entered("")
        self.assertEqual(self.history.read_up_to, [])

    def test_nothing_is_read_before_older_ones_are_shown(self) -> None:
        self.history.keep(received("old"))
        self.show("b1")
        self.reading.line_entered("hi")
        self.reading.line_entered("/unread")
        self.assertEqual(self.history.read_up_to, [])
        self.history.read(2)  # as /unread does
        self.show("b2")
        self.reading.line_entered("hi")
        self.assertEqual(self.history.read_up_to, [2, 3])

    def test_nothing_is_read_behind_what_was_dropped(self) -> None:
        self.show("b1")
        self.reading.line_entered("hi")
        self.show("b2")
        [dropped] = self.history.keep(received("b3"))
        self.reading.event_shown(message("hello", stored_id=dropped), kept=False)
        self.show("b4")
        self.reading.line_entered("hi")
        self.assertEqual(self.history.read_up_to, [1])
        self.history.read(4)  # as /unread does
        self.show("b5")
        self.reading.line_entered("hi")
        self.assertEqual(self.history.read_up_to, [1, 4, 5])

    def test_nothing_is_read_while_nobody_can_count_what_was_not(self) -> None:
        """More than MAX_UNREAD may be MAX_UNREAD that were shown, and old ones that were not."""
        shown = message("hello", stored_id=200_000)
        for _ in range(MAX_UNREAD):
            self.reading.event_shown(shown)
        self.history.unread = lambda count: succeed(Unread(MAX_UNREAD, []))
        self.reading.line_entered("")
        self.assertEqual(self.history.read_up_to, [])

    def test_what_is_dropped_while_it_is_asked_stays_unread(self) -> None:
        asked: Deferred[Unread] = Deferred()
        unread, self.history.unread = self.history.unread, lambda count: asked
        self.show("b1")
        self.reading.line_entered("")
        [dropped] = self.history.keep(received("b2"))
        self.reading.event_shown(message("hello", stored_id=dropped), kept=False)
        self.history.unread = unread
        asked.callback(Unread(0, []))  # another console has just listed the first one
        self.show("b3")
        self.reading.line_entered("")
        self.assertEqual(self.history.read_up_to, [])

    def test_what_comes_while_it_is_asked_stays_unread(self) -> None:
        asked: Deferred[Unread] = Deferred()
        self.history.unread = lambda count: asked
        self.show("b1")
        self.reading.line_entered("")
        self.show("b2")
        asked.callback(Unread(1, []))
        self.assertEqual(self.history.read_up_to, [1])

    def test_the_list_of_the_unread_is_not_emptied_before_it_is_shown(self) -> None:
        self.show("b1")
        self.reading.line_entered(" /UNREAD")
        self.assertEqual(self.history.read_up_to, [])

    def test_a_disk_that_fails_is_asked_again_at_the_next_line(self) -> None:
        self.history.trouble = StoreError("no")
        self.show_one_despite_trouble()
        self.reading.line_entered("")
        self.history.trouble = None
        self.reading.line_entered("")
        self.assertEqual(self.history.read_up_to, [1])

    def show_one_despite_trouble(self) -> None:
        trouble, self.history.trouble = self.history.trouble, None
        self.show("b1")
        self.history.trouble = trouble
