"""Messages of ours until they end."""

from datetime import timedelta

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
            self.assertEqual(outgoing.move_on("1", "sent").state, "sent")
            self.assertEqual(list(outgoing), [Message(NOON, "hi", "sent")])
            ended = outgoing.move_on("1", state, reason)
            self.assertEqual(ended, Message(NOON, "hi", state, reason))
            self.assertEqual(list(outgoing), [])
            self.assertIsNone(outgoing.move_on("1", state))

    def test_a_chat_of_the_archive_moves_on_until_it_is_confirmed(self) -> None:
        outgoing = Outgoing(10)
        outgoing.add(1, Message(NOON, "hi", "mining"))
        for state in ("archived", "displaced", "archived"):
            self.assertFalse(outgoing.move_on(1, state, state).ended)
            self.assertEqual(list(outgoing), [Message(NOON, "hi", state, state)])
        self.assertTrue(outgoing.move_on(1, "confirmed").ended)
        self.assertEqual(list(outgoing), [])

    def test_chats_and_messages_are_told_apart(self) -> None:
        outgoing = Outgoing(10)
        outgoing.add("1", Message(NOON, "a message"))
        outgoing.add(1, Message(NOON, "a chat"))
        self.assertEqual(outgoing.move_on(1, "confirmed").text, "a chat")
        self.assertEqual([message.text for message in outgoing], ["a message"])

    def test_old_chats_are_taken_out_if_they_are_archived(self) -> None:
        outgoing = Outgoing(10)
        later = NOON + timedelta(seconds=1)
        outgoing.add(1, Message(NOON, "a", "archived"))
        outgoing.add(2, Message(NOON, "b", "mining"))
        outgoing.add(3, Message(later, "c", "archived"))
        outgoing.add("4", Message(NOON, "d", "sent"))
        self.assertEqual([found.text for found in outgoing.take_archived(later)], ["a"])
        self.assertEqual([found.text for found in outgoing], ["b", "c", "d"])

    def test_messages_to_a_peer_are_taken_out(self) -> None:
        outgoing = Outgoing(10)
        outgoing.add("1", Message(NOON, "a", to="bob@CIC"))
        outgoing.add("2", Message(NOON, "b", to="carol@CIC"))
        outgoing.add("3", Message(NOON, "c", "sent", to="bob@CIC"))
        found = outgoing.take_addressed("bob@CIC")
        self.assertEqual({key: one.text for key, one in found.items()}, {"1": "a", "3": "c"})
        self.assertEqual([one.text for one in outgoing], ["b"])

    def test_the_oldest_is_given_up_at_the_limit(self) -> None:
        outgoing = Outgoing(2)
        self.assertIsNone(outgoing.add("1", Message(NOON, "a")))
        self.assertIsNone(outgoing.add("2", Message(NOON, "b")))
        self.assertEqual(outgoing.add("3", Message(NOON, "c")), Message(NOON, "a"))
        self.assertEqual([message.text for message in outgoing], ["b", "c"])
