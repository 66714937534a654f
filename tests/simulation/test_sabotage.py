"""Every invariant notices when it does not hold: a node is made to break it."""

from typing import Any

from msgspec import structs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.protocol import Factory

from p2pchat.archive.keeper import Keeper
from p2pchat.archive.own import OwnChats
from p2pchat.archive.replica import Replica
from p2pchat.chat.dialer import Dialer
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.receiving import Receiving
from p2pchat.events import ArchiveGrew, MessageReceived
from p2pchat.store.notebook import Notebook
from tests.archive.mined import sketch
from tests.simulation.sabotage import SabotageCase
from tests.simulation.world.disk import DiskHistory
from tests.simulation.world.inhabitant import START, Inhabitant


class SabotageTests(SabotageCase):
    """Nodes, their archives and how they leave."""

    def test_nothing_is_wrong_without_sabotage(self) -> None:
        self.assertEqual(self.live((20, "stop", 1)).violations, [])

    def test_message_under_another_name(self) -> None:
        shown = Receiving._event_of

        def wrong(*arguments: Any) -> MessageReceived:
            event = shown(*arguments)
            return structs.replace(event, source="n9@CIC")

        self.patch(Receiving, "_event_of", wrong)
        self.assertIn("is_shown_under_its_sender", self.live().violated())

    def test_message_shown_twice(self) -> None:
        show = Receiving._show

        def twice(*arguments: Any) -> None:
            show(*arguments)
            show(*arguments)

        self.patch(Receiving, "_show", twice)
        self.assertEqual(self.live().violated(), {"is_shown_once"})

    def test_acknowledged_before_it_is_stored(self) -> None:
        received = Receiving.received

        def hasty(self: Receiving, peer: Any, link: Any, messages: Any) -> None:
            link.acknowledge([message.msg_id for message in messages])
            received(self, peer, link, messages)

        self.patch(Receiving, "received", hasty)
        self.assertEqual(self.live().violated(), {"is_stored_when_promised"})

    def test_accepted_before_it_is_stored(self) -> None:
        queue = DiskHistory.queue

        def hasty(self: DiskHistory, *arguments: Any) -> Any:
            queue(self, *arguments)
            return succeed(1)

        self.patch(DiskHistory, "queue", hasty)
        self.assertIn("is_stored_when_promised", self.live().violated())

    def test_chat_reported_before_it_is_stored(self) -> None:
        self.patch(Keeper, "when_saved", lambda _, call: call())
        self.assertIn("is_archived_when_promised", self.live().violated())

    def test_archive_that_shrinks(self) -> None:
        grew = ArchiveGrew(time=START, height=-1, tip="", source="", reorganised=True)
        outcome = self.live(tamper=lambda node: node.node.report(grew))
        self.assertEqual(outcome.violated(), {"archive_does_not_shrink"})

    def test_unhandled_error(self) -> None:
        def forget(_: Inhabitant) -> None:
            fail(ValueError("nobody looks at it"))

        outcome = self.live(tamper=lambda node: node.host.callLater(1, forget, node))
        self.assertEqual(outcome.violated(), {"no_error_is_unhandled"})
        self.flushLoggedErrors(ValueError)

    def test_archive_that_is_not_valid(self) -> None:
        def spoil(node: Inhabitant) -> None:
            node.node._archive._replica.archive = sketch(("nobody mined this", b""))

        look = (20.001, "heal")
        outcome = self.live(look, tamper=lambda node: node.host.callLater(20, spoil, node))
        self.assertIn("archives_are_valid", outcome.violated())

    def test_outbox_beyond_its_bounds(self) -> None:
        self.patch(Notebook, "_check_room", lambda *_: None)
        talk = [(at, "say", 1, 3, 200) for at in (20, 21, 22, 23)]
        outcome = self.live((16, "crash", 3), *talk, (29, "start", 3))
        self.assertEqual(outcome.violated(), {"queues_keep_their_bounds"})

    def test_leaving_that_does_not_end(self) -> None:
        def hang(node: Inhabitant) -> None:
            node.node.stopService = Deferred

        outcome = self.live((20, "stop", 1), tamper=hang)
        expected = {"leaving_is_bounded", "everybody_has_left", "nobody_is_away"}
        self.assertLessEqual(expected, outcome.violated())

    def test_timer_that_is_left(self) -> None:
        outcome = self.live(tamper=lambda node: node.host.callLater(86400, hash, node))
        self.assertEqual(outcome.violated(), {"nothing_is_left_behind"})

    def test_socket_that_is_left(self) -> None:
        def listen(node: Inhabitant) -> None:
            node.host.listenTCP(7, Factory())

        outcome = self.live(tamper=listen)
        self.assertEqual(outcome.violated(), {"nothing_is_left_behind"})

    def test_message_that_never_leaves(self) -> None:
        self.patch(Outbox, "next_ready", lambda *_, legacy: None)
        expected = {"all_accepted_has_arrived", "nothing_waits"}
        self.assertEqual(self.live().violated(), expected)

    def test_message_stored_twice(self) -> None:
        receive = DiskHistory.receive

        def twice(self: DiskHistory, batch: Any) -> Any:
            receive(self, [message._replace(msg_id=f"{message.msg_id}'") for message in batch])
            return receive(self, batch)

        self.patch(DiskHistory, "receive", twice)
        self.assertEqual(self.live().violated(), {"nothing_arrived_twice"})

    def test_archives_that_stay_apart(self) -> None:
        self.patch(Replica, "received", lambda *_: None)
        expected = {"all_hold_one_archive", "every_chat_is_there_once", "the_last_words_arrive"}
        self.assertEqual(self.live().violated(), expected)

    def test_peer_that_is_not_dialled_again(self) -> None:
        self.patch(Dialer, "dial", lambda *_, **__: None)
        self.assertIn("everybody_is_connected", self.live().violated())

    def test_chat_that_is_there_twice(self) -> None:
        add = OwnChats.add

        def twice(self: OwnChats, text: bytes, mark: bytes) -> Any:
            add(self, text, mark[::-1])
            return add(self, text, mark)

        self.patch(OwnChats, "add", twice)
        self.assertEqual(self.live().violated(), {"every_chat_is_there_once"})

    def test_step_that_raises(self) -> None:
        outcome = self.live((20, "no_such_verb"))
        self.assertEqual(outcome.violated(), {"the_world_goes_on"})
