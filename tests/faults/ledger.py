"""The books of one direction: what its sender was told, what its receiver showed and keeps.

Every text is written once, so that a text tells which message it is.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from tests.integration.nodes import Event


class Message(NamedTuple):
    msg_id: str
    text: str


class Findings(NamedTuple):
    """What is wrong, a line each; all empty if nothing is.

    `strange` is what was never entered, `refused` what the sender's console did not take.
    """

    lost: list[str]
    doubled: list[str]
    disordered: list[str]
    strange: list[str]
    refused: list[str]

    def __add__(self, other: object) -> "Findings":
        if not isinstance(other, Findings):
            return NotImplemented
        return Findings(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))


class Ledger:
    """Notes what is said from one node to another one, over all the runs of both.

    A message was promised if the sender's console replied to it, or reported anything of its
    delivery: then it was stored. Whatever was not promised may arrive, once, or not.
    """

    def __init__(self) -> None:
        self.entered: list[str] = []
        self._replied: dict[str, str] = {}
        self._reported: set[str] = set()
        self._delivered: set[str] = set()
        self._failed: dict[str, str] = {}
        self._refused: list[str] = []
        self._shown: list[Message] = []
        self._kept: list[Message] = []
        self._own: list[Message] = []

    # What is noted

    def enter(self, text: str) -> None:
        """Note that a text, unlike all others, is entered at the sender's console."""
        self.entered.append(text)

    def reply(self, text: str, reply: Event) -> None:
        """Note what the sender's console replied to a text."""
        if "error" in reply:
            self._refused.append(f"{text:.40}: {reply['error']}")
        else:
            self._replied[reply["data"]["msg_id"]] = text

    def delivery(self, event: Event) -> None:
        """Note a delivery event of the sender."""
        self._reported.add(event["msg_id"])
        if event["state"] == "delivered":
            self._delivered.add(event["msg_id"])
        elif event["state"] == "failed":
            self._failed[event["msg_id"]] = event["reason"]

    def show(self, msg_id: str, text: str) -> None:
        """Note a message on the receiver's screen, in order."""
        self._shown.append(Message(msg_id, text))

    def close(self, own: Iterable[Message], kept: Iterable[Message]) -> None:
        """Note what sender and receiver have of it in the end, each in the order of storing."""
        self._own = list(own)
        self._kept = list(kept)

    # What follows

    @property
    def promised(self) -> int:
        """How many messages must arrive."""
        return len(self._replied.keys() | self._reported)

    def findings(self) -> Findings:
        """Compare all that was noted, after close()."""
        places = {"shown": self._shown, "kept": self._kept, "kept by its sender": self._own}
        return Findings(
            lost=[*self._lost(), *self._not_shown_is_kept()],
            doubled=[
                f"{text:.40}: {place} {count} times"
                for place, messages in places.items()
                for text, count in Counter(message.text for message in messages).items()
                if count > 1
            ],
            disordered=[line for place in places for line in self._disordered(place, places)],
            strange=[line for place in places for line in self._strange(place, places)],
            refused=list(self._refused),
        )

    def _lost(self) -> Iterable[str]:
        own, kept = dict(self._own), dict(self._kept)
        for msg_id in sorted(self._replied.keys() | self._reported):
            text = self._replied.get(msg_id, own.get(msg_id, "?"))
            name = f"{text:.40} ({msg_id}, {self._story(msg_id)})"
            if own.get(msg_id) != text:
                yield f"{name}: not kept by its sender"
            if kept.get(msg_id) != text:
                yield f"{name}: not kept by its receiver"

    def _not_shown_is_kept(self) -> Iterable[str]:
        """What was shown must be kept; what is kept need not have been shown before a crash."""
        kept = set(self._kept)
        return (f"{m.text:.40}: shown, but not kept" for m in self._shown if m not in kept)

    def _story(self, msg_id: str) -> str:
        if msg_id in self._failed:
            return f"failed: {self._failed[msg_id]}"
        return "delivered" if msg_id in self._delivered else "queued"

    def _disordered(self, place: str, places: dict[str, list[Message]]) -> Iterable[str]:
        number_of = {text: number for number, text in enumerate(self.entered)}
        last = None
        # what comes again is doubled, wherever it comes
        for text in dict.fromkeys(message.text for message in places[place]):
            if text not in number_of:
                continue
            if last is not None and number_of[text] < number_of[last]:
                yield f"{text:.40}: {place} behind {last:.40}"
            last = text

    def _strange(self, place: str, places: dict[str, list[Message]]) -> Iterable[str]:
        entered = set(self.entered)
        return (f"{m.text:.40}: {place}" for m in places[place] if m.text not in entered)
