"""Lines in, replies and events out, in a good order."""

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import DeliveryChanged, HistoryOpened, Notice
from p2pchat.history import OutboxEntry
from p2pchat.identity import PeerId
from p2pchat.ui.dialogue import Dialogue
from tests.ui.fakes import NOON, FakeNode, surroundings

SENT = DeliveryChanged(time=NOON, msg_id="m1", to="bob@CIC", state="sent")
NOTICE = Notice(time=NOON, level="info", text="x")


class Face:
    """Notes what is shown."""

    def __init__(self) -> None:
        self.shown: list[object] = []
        self.recalled: list[str] = []

    def show_event(self, event) -> None:
        self.shown.append(event)

    def show_reply(self, typed, reply) -> None:
        self.shown.append((typed, reply.command, reply.error))

    def recall(self, entries) -> None:
        self.recalled += [entry.text for entry in entries]


class DialogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.node = FakeNode("bob@CIC")
        self.face = Face()
        self.dialogue = Dialogue(self.node, self.face, surroundings())
        self.dialogue.start()

    def test_events_pass(self) -> None:
        self.node.report(NOTICE)
        self.assertEqual(self.face.shown, [NOTICE])

    def test_events_of_a_command_come_behind_its_reply(self) -> None:
        self.node.events_of_send = [SENT, NOTICE]
        self.successResultOf(self.dialogue.execute("/msg bob hi"))
        self.assertEqual(self.face.shown, [("/msg bob hi", "/msg", ""), SENT, NOTICE])
        self.assertEqual(self.dialogue.partner, "bob@CIC")

    def test_events_pass_while_a_reply_is_awaited(self) -> None:
        self.node.discovery = Deferred()
        done = self.dialogue.execute("/peers")
        self.node.report(NOTICE)
        self.assertEqual(self.face.shown, [NOTICE])
        self.node.discovery.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.face.shown[1:], [("/peers", "/peers", "")])

    def test_delivery_events_wait_while_a_message_is_stored(self) -> None:
        self.node.storing = Deferred()
        self.node.events_of_send = [SENT]
        done = self.dialogue.execute("/msg bob hi")
        self.node.report(SENT)
        self.node.report(NOTICE)
        self.assertEqual(self.face.shown, [NOTICE])
        self.node.storing.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.face.shown[1:], [("/msg bob hi", "/msg", ""), SENT, SENT])

    def test_delivery_events_pass_while_another_reply_is_awaited(self) -> None:
        self.node.discovery = Deferred()
        self.dialogue.execute("/peers")
        self.node.report(SENT)
        self.assertEqual(self.face.shown, [SENT])

    def test_delivery_events_come_although_storing_failed(self) -> None:
        self.node.storing = Deferred()
        done = self.dialogue.execute("/msg bob hi")
        self.node.report(SENT)
        self.node.storing.errback(ZeroDivisionError())
        self.successResultOf(done)
        self.flushLoggedErrors(ZeroDivisionError)
        self.assertEqual(self.face.shown[1:], [SENT])

    def test_what_waits_since_an_earlier_run_is_recalled(self) -> None:
        self.node.left_over = [OutboxEntry(7, "m1", PeerId("bob@CIC"), "hi", NOON, 0)]
        self.node.report(NOTICE)
        self.assertEqual(self.face.recalled, [])
        self.node.report(HistoryOpened(time=NOON, unread=0, waiting=1))
        self.assertEqual(self.face.recalled, ["hi"])

    def test_a_blank_line_has_no_reply(self) -> None:
        self.successResultOf(self.dialogue.execute("  "))
        self.assertEqual(self.face.shown, [])

    def test_a_bug_is_logged_and_replied_to(self) -> None:
        self.node.refusal = ZeroDivisionError()
        self.successResultOf(self.dialogue.execute("/msg bob hi"))
        self.successResultOf(self.dialogue.execute("plain"))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
        error = "/msg: internal error, the log tells more"
        self.assertEqual(
            self.face.shown, [("/msg bob hi", "/msg", error), ("plain", "/msg", error)]
        )

    def test_nothing_is_shown_after_stop(self) -> None:
        self.node.discovery = Deferred()
        self.dialogue.execute("/peers")
        self.dialogue.stop()
        self.node.report(NOTICE)
        self.node.discovery.callback(None)
        self.assertEqual(self.face.shown, [])
