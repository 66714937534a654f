"""Lines that are typed, or written by a program, at a console: `p2pchat.ui.commands`.

byte 0 chooses the JSON console or the plain one, and whether the words of an earlier program are
commands. Every line that is not blank gets one reply, which nothing of ours failed to make; it can
be read as JSON, or shown as it is, and is bounded, and so is what is kept between two lines.
"""

import json
from collections.abc import Sequence
from datetime import UTC
from tempfile import TemporaryFile
from typing import Any, BinaryIO
from unittest.mock import patch

from p2pchat.events import Event
from p2pchat.history import OutboxEntry
from p2pchat.text import is_printable
from p2pchat.ui import actions, exporting, plain
from p2pchat.ui.catalogue import COMMANDS
from p2pchat.ui.classic import slashed
from p2pchat.ui.commands import Reply, failure
from p2pchat.ui.dialogue import Dialogue
from p2pchat.ui.json_lines import JsonFormat
from p2pchat.ui.lines import LineSplitter
from p2pchat.ui.plain import PlainFormat
from tests.fuzz.cuts import pieces
from tests.fuzz.watch import no_failures_logged
from tests.ui.fakes import NOON, FakeNode, received, surroundings

MAX_LENGTH = 4096
WORDS = (
    *(f"{name} ".encode() for name in COMMANDS),
    *(b"\n", b"\r\n", b"//", b"/", b"\t", b'"', b'\\"', b"bob", b"bob@CIC", b'"anna b@CIC" '),
    *(b"#CIC", b"* ", b"all", b"before ", b"14:30", b"2025-03-01", b"-1", b"99999999999999999999"),
    *(b"\x1b[2J", b"\xe2\x80\xae", b"\xff", b"\xed\xa0\x80", b"\0", b"\xc2\x9b", b"DEBUG", b"~"),
    *(b"help", b"peers", b"hist ", b"chat ", b"connect ", b"debug", b"\xd9\xa3", b"NEAR(", b"OR"),
)

#: Bits of the first byte.
PLAIN, CLASSIC = 1, 2

#: The longest line here: one that an input can bring.
LIMIT = 8192

#: Most bytes of a reply: the texts of a line stand in it a few times, each byte as six at most.
MOST_SAID = 64 * LIMIT


class Console:
    """A console on a node that is made up; `output` is what it wrote."""

    def __init__(self, mode: int) -> None:
        self.output: list[bytes] = []
        self.node = FakeNode("bob@CIC", "carol@LAB", "carol@CIC", "anna b@CIC")
        self.node.history.keep(*(received(f"m{number}") for number in range(3)))
        self._classic = mode & CLASSIC == CLASSIC
        self._form = PlainFormat(UTC) if mode & PLAIN else JsonFormat()
        self._splitter = LineSplitter(LIMIT)
        self._dialogue = Dialogue(self.node, self, surroundings())  # type: ignore[arg-type]
        self._dialogue.start()
        self.replies = 0

    def reads(self, data: bytes) -> None:
        """Carry out what is complete with this."""
        self._carry_out(self._splitter.feed(data))
        assert len(self._splitter._start) <= LIMIT, "more than a line is kept"

    def ends(self) -> None:
        self._carry_out(self._splitter.end())

    def show_event(self, event: Event) -> None:
        self.output.append(self._form.event(event))

    def show_reply(self, typed: str, reply: Reply) -> None:
        self.replies += 1
        written = self._form.reply(reply, NOON)
        assert len(written) <= MOST_SAID, "a reply without bound"
        if isinstance(self._form, PlainFormat):
            for line in written.decode("utf-8").splitlines(keepends=True):
                assert is_printable(line.removesuffix("\n")), "what is no text is shown"
        else:
            assert written.endswith(b"\n"), "not a line"
            assert json.loads(written)["event"] == "reply", "not a reply"
            assert written.count(b"\n") == 1, "more than a line"
        self.output.append(written)

    def recall(self, entries: Sequence[OutboxEntry]) -> None:
        self._form.recall(entries)

    def _carry_out(self, lines: list[str | None]) -> None:
        for line in lines:
            before = self.replies
            if line is None:
                self.show_reply("", failure("", "too long"))
                continue
            line = slashed(line, self.node) if self._classic else line  # type: ignore[arg-type]
            done = self._dialogue.execute(line)
            assert done.called, "a line that is never done"
            assert self.replies - before == bool(line.strip()), "not one reply to a line"
            self._check_kept()

    def _check_kept(self) -> None:
        assert not self._dialogue._held, "an event is held back for ever"
        assert len(self._dialogue._commands._actions._told) <= actions.MAX_TOLD, "absent ones"
        if isinstance(self._form, PlainFormat):
            assert len(self._form._outgoing._messages) <= plain._MAX_OUTGOING, "texts are kept"


def check(data: bytes) -> None:
    """Let these lines come in, in their pieces and at once."""
    mode, reads = data[0] if data else 0, pieces(data[1:])
    # a file that is written must not be one of this machine's
    nowhere: dict[str, Any] = {"_create": _nowhere, "_take_away": lambda file, path: file.close()}
    with no_failures_logged(), patch.multiple(exporting, **nowhere):
        in_pieces, at_once = _said(mode, reads), _said(mode, [b"".join(reads)])
    assert in_pieces == at_once, "pieces are carried out otherwise"


def _said(mode: int, reads: list[bytes]) -> list[bytes]:
    console = Console(mode)
    for read in reads:
        console.reads(read)
    console.ends()
    return console.output


def _nowhere(path: object) -> BinaryIO:
    return TemporaryFile()
