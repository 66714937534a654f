"""Messages of ours until they end."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.events import DeliveryChanged
from p2pchat.ui.outgoing import Message, Outgoing
from tests.ui.fakes import NOON


def change(msg_id: str, state: str, reason: str = "") -> DeliveryChanged:
    """Make a delivery event."""
    return DeliveryChanged(time=NOON, msg_id=msg_id, to="bob@CIC", state=state, reason=reason)


class OutgoingTests(SynchronousTestCase):
    def test_a_message_moves_on_and_is_forgotten_when_it_ends(self) -> None:
        for state, reason in (("delivered", ""), ("failed", "no ACK")):
            outgoing = Outgoing(10)
            outgoing.add("1", Message(NOON, "hi"))
            self.assertEqual(outgoing.move_on(change("1", "sent")).state, "sent")
            self.assertEqual(list(outgoing), [Message(NOON, "hi", "sent")])
            ended = outgoing.move_on(change("1", state, reason))
            self.assertEqual(ended, Message(NOON, "hi", state, reason))
            self.assertEqual(list(outgoing), [])
            self.assertIsNone(outgoing.move_on(change("1", state)))

    def test_the_oldest_is_given_up_at_the_limit(self) -> None:
        outgoing = Outgoing(2)
        self.assertIsNone(outgoing.add("1", Message(NOON, "a")))
        self.assertIsNone(outgoing.add("2", Message(NOON, "b")))
        self.assertEqual(outgoing.add("3", Message(NOON, "c")), Message(NOON, "a"))
        self.assertEqual([message.text for message in outgoing], ["b", "c"])
