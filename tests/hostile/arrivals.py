"""What the node itself says meanwhile, and whether all of it arrives when the trouble is over."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from tests.hostile.target import PEER_ID
from tests.integration.waiting import wait_until

#: The other node, to which the messages go.
BOB = "bob@CIC"
BOB_HOST = "127.7.0.2"

#: How long the last message and the last chat may take, in seconds.
_SETTLING = 120.0


class _Asked(Protocol):
    """A node that is asked at its console."""

    def data(self, line: str) -> Any: ...

    def history(self) -> Mapping[tuple[str, str], int]: ...


class Said:
    """The msg_ids of what was said to BOB, and the texts of the chats."""

    def __init__(self) -> None:
        self._messages: list[str] = []
        self._chats: list[str] = []

    def __str__(self) -> str:
        return f"{len(self._messages):,} messages and {len(self._chats):,} chats of its own"

    def message(self, msg_id: str) -> None:
        self._messages.append(msg_id)

    def chat(self, text: str) -> None:
        self._chats.append(text)

    def complaints(self, node: _Asked, bob: _Asked, settling: float = _SETTLING) -> list[str]:
        """Wait until all has arrived, and return what has not, or twice."""
        _wait(lambda: not node.data("/outbox") and bool(bob.data("/peers")), settling)
        kept = bob.history()
        odd = sum(kept.get((PEER_ID, msg_id), 0) != 1 for msg_id in self._messages)
        wrong = [f"{odd} messages to {BOB} are lost or kept twice"] if odd else []
        for who, asked in (("the node", node), (BOB, bob)):
            _wait(lambda asked=asked: not self._odd_chats(asked), settling)
            odd_chats = self._odd_chats(asked)
            if odd_chats:
                wrong.append(f"{who} has lost {len(odd_chats)} chats, or has them twice")
        return wrong

    def _odd_chats(self, node: _Asked) -> list[str]:
        found = Counter(chat["text"] for chat in node.data("/hist all"))
        return [text for text in self._chats if found[text] != 1]


def _wait(condition: Callable[[], object], seconds: float) -> None:
    """Wait for this, at most so long; what is still not so is told by whoever looks then."""
    with suppress(AssertionError):
        wait_until(condition, "what was said to arrive", seconds)
