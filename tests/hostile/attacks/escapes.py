"""Texts that are orders to a terminal."""

import json
from typing import Any

from tests.hostile.attack import Attack
from tests.hostile.target import Tally
from tests.integration.programs import HERE

#: What no text may bring to the screen; nothing that p2pchat draws itself needs any of it.
ORDERS = (
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1bP+q544e\x1b\\",
    "\x1b[5;5H",
    "\x1b[2J",
    "\x1b[?1049h",
    "\x1b[8m",
    "\x9b31m",
    "\x9d0;owned\x9c",
    "\x07",
    "\x08\x08\x08",
    "\u202eowned",
    "\u2066owned",
    "\x00",
    "\x7f",
)

#: Stands in every text, so that it is known that texts were shown.
MARK = "marked"


class EscapeSequences(Attack):
    """Escape sequences, controls and direction overrides in texts, publications, names, reasons.

    The node is in a terminal: nothing but text may reach the screen.
    """

    name = "escape-sequences"
    terminal = True

    def prepare(self) -> None:
        self._number = 0

    def step(self) -> None:
        order = ORDERS[self._number % len(ORDERS)]
        if not self.crowd.members:
            self._join("joker")
        for member in list(self.crowd.members):
            self.crowd.say(member, b"".join(self._lines(order)), messages=4)
        if self._number % 20 == 0:
            self._join(f"{order}{MARK}")  # no name at all
        if self._number % 50 == 49:
            self._leave(order)
        self._number += 1
        for _ in self.crowd.hear(0.05):
            pass

    def _join(self, name: str) -> None:
        said = {"type": "HELLO", "peer_id": f"{name}@CIC", "agent": f"{ORDERS[0]}{MARK}"}
        self.crowd.join(HERE, self.target.chat, "127.66.6.1", first=_line(**said))

    def _lines(self, order: str) -> list[bytes]:
        text = f"{MARK} {order} {self._number}"
        src = f"{order}@CIC"
        return [
            _line(type="SEND", msg_id=f"s{self._number}", payload=text, src=src),
            _line(type="PUB", msg_id=f"p{self._number}", payload=text, dst="*", src=src),
            _line(type="RELAY", msg_id=f"r{self._number}", payload=text, src=src, dst="alice@CIC"),
            _line(type=order, msg_id=order),
        ]

    def _leave(self, order: str) -> None:
        for member in list(self.crowd.members):
            self.crowd.say(member, _line(type="BYE", msg_id="bye", reason=f"{order}{MARK}"))
            self.crowd.leave(member)

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        return on_screen(node.shown)


def on_screen(shown: str) -> list[str]:
    """Return what is wrong with what a terminal was told to show."""
    wrong = [f"{order!r} reached the screen" for order in ORDERS if order in shown]
    return wrong if MARK in shown else [*wrong, "no text was shown"]


def _line(**message: str) -> bytes:
    return json.dumps(message).encode() + b"\n"
