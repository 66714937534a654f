"""What the soak would complain of: messages and chats that do not arrive, churn that ended."""

from collections.abc import Mapping
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.hostile.arrivals import BOB, Said
from tests.hostile.churn import Churn
from tests.hostile.target import PEER_ID
from tests.integration.waiting import wait_until


class FakeNode:
    """Says that nothing waits, and has what it is given."""

    def __init__(self, messages: Mapping[str, int], *chats: str) -> None:
        self._messages = {(PEER_ID, msg_id): count for msg_id, count in messages.items()}
        self._chats = chats

    def data(self, line: str) -> Any:
        return [{"text": text} for text in self._chats] if line == "/hist all" else []

    def history(self) -> Mapping[tuple[str, str], int]:
        return self._messages


class ArrivalTests(SynchronousTestCase):
    def complaints(self, node: FakeNode, bob: FakeNode) -> list[str]:
        said = Said()
        said.message("m1")
        said.message("m2")
        said.chat("one")
        return said.complaints(node, bob, settling=0)

    def test_all_has_arrived(self) -> None:
        bob = FakeNode({"m1": 1, "m2": 1}, "one", "another")
        self.assertEqual(self.complaints(FakeNode({}, "one"), bob), [])

    def test_messages_that_are_lost_or_there_twice(self) -> None:
        for messages in ({"m1": 1}, {"m1": 1, "m2": 2}):
            (told,) = self.complaints(FakeNode({}, "one"), FakeNode(messages, "one"))
            self.assertEqual(told, f"1 messages to {BOB} are lost or kept twice")

    def test_chats_that_are_lost_or_there_twice(self) -> None:
        whole = {"m1": 1, "m2": 1}
        for chats in ((), ("one", "one")):
            (told,) = self.complaints(FakeNode({}, *chats), FakeNode(whole, "one"))
            self.assertIn("the node has lost 1 chats", told)
            (told,) = self.complaints(FakeNode({}, "one"), FakeNode(whole, *chats))
            self.assertIn(f"{BOB} has lost 1 chats", told)


class ChurnTests(SynchronousTestCase):
    def test_whatever_goes_wrong_is_told_and_it_goes_on(self) -> None:
        for error in (KeyError("x"), AssertionError("x"), OSError("x"), RuntimeError("x")):
            called = []

            def work(error: Exception = error, called: list[int] = called) -> None:
                called.append(1)
                if len(called) == 1:
                    raise error

            churn = Churn(work, 0)
            churn.start()
            wait_until(lambda churn=churn: churn.rounds, "a round after the trouble")
            churn.close()
            self.assertIn(type(error).__name__, churn.complaints()[0])

    def test_one_that_never_did_anything_is_no_success(self) -> None:
        churn = Churn(lambda: None, 60)
        churn.start()
        churn.close()
        self.assertEqual(churn.complaints(), ["nothing was done"])
