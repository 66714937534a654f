"""When a node may write to a deployed program: one line a segment, and none too soon.

Three of four programs lose or choke on a second line in one read, so there is stop-and-wait
(docs/protocols.md, 2.2). What the network makes of segments is nobody's fault; so a node is judged
by what it hands to it, and by when the program answered.
"""

import json
from collections.abc import Callable
from math import inf
from typing import Any

#: How long an answer is waited for, and the pauses behind HELLO_OK and behind all else, in seconds.
PATIENCE, AFTER_HELLO_OK, AFTER_A_LINE = 5.0, 0.1, 0.005

#: What virtual times may be apart from what they should be.
TOLERANCE = 1e-6

GOODBYES = ("BYE", "BYE_OK")
REPLIES = ("ACK", "PONG")


class Manners:
    """Judges what a node writes on one link; `hurt` is called with what is wrong."""

    def __init__(self, hurt: Callable[[str], None]) -> None:
        self._hurt = hurt
        self._rest = self._unfinished = b""
        self._last = "nothing"
        self._not_before = 0.0
        self._awaited: tuple[str, Any] | None = None
        #: Replies ahead of a goodbye wait for nothing; whether one follows shows later.
        self._suspected = ""

    def said(self, now: float, data: bytes) -> None:
        """Judge one segment of the node's."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        if len(lines) > 1 or (lines and self._rest):
            self._hurt(f"{len(lines)} lines in one segment: {data!r:.300}")
        for line in lines:
            self._judge(now, json.loads(line))

    def answered(self, data: bytes) -> None:
        """Note what the program writes."""
        lines = (self._unfinished + data).split(b"\n")
        self._unfinished = lines.pop()
        for line in lines:
            message = json.loads(line)
            if (message["type"], message.get("msg_id")) == self._awaited:
                self._awaited, self._not_before = None, 0.0

    def _judge(self, now: float, message: dict[str, Any]) -> None:
        kind = message["type"]
        early = now < self._not_before - TOLERANCE
        if kind in GOODBYES:
            self._suspected = ""
        elif self._suspected and kind not in REPLIES:
            self._hurt(self._suspected)
            self._suspected = ""
        elif early:
            by = self._not_before - now
            self._suspect(f"{kind} comes {by:.3f} s too soon behind {self._last}", kind)
        self._wait_behind(now, kind, message)

    def _suspect(self, what: str, kind: str) -> None:
        if kind in REPLIES:
            self._suspected = self._suspected or what
        else:
            self._hurt(what)

    def _wait_behind(self, now: float, kind: str, message: dict[str, Any]) -> None:
        self._last = kind
        self._awaited, self._not_before = None, now + AFTER_A_LINE
        if kind == "HELLO":
            self._awaited, self._not_before = ("HELLO_OK", None), inf
        elif kind == "HELLO_OK":
            self._not_before = now + AFTER_HELLO_OK
        elif kind == "PING":
            self._awaited, self._not_before = ("PONG", message["msg_id"]), now + PATIENCE
        elif kind == "SEND" and message["require_ack"]:
            self._awaited, self._not_before = ("ACK", message["msg_id"]), now + PATIENCE
