"""One of two nodes that talk to each other, over all its runs; it is killed without any goodbye."""

import json
from pathlib import Path
from typing import Any

from tests.faults.ledger import Ledger, Message
from tests.integration.nodes import Event, Node
from tests.integration.programs import HERE, free_port
from tests.integration.waiting import Record

#: How the nodes are set up: they find each other again at once, as often as it takes.
CONFIG: dict[str, dict[str, Any]] = {
    "rendezvous": {"embedded": False},
    "connection": {
        "max_reconnect_attempts": 1_000_000,
        "reconnect_backoff_base": 1,
        "reconnect_backoff_max": 0.2,
        "ack_timeout": 1,
    },
}

#: No more lines than this are entered that have no reply yet.
MAX_UNANSWERED = 200


class Run(Node):
    """A process that is looked at again and again while it runs."""

    @property
    def replies(self) -> list[Event]:
        """All replies so far, in order."""
        return self._replies.all()

    @property
    def said(self) -> list[Event]:
        """All events so far that are no replies."""
        return self._events.all()

    def kill(self) -> None:
        """Let it end without any goodbye; the line that it was just writing does not count."""
        super().kill()
        self.wait_for_exit()
        said = self.said
        if said and said[-1]["event"] == "not an event":
            self._events = Record()
            for event in said[:-1]:
                self._events.add(event)

    def ask_besides(self, line: str) -> Any:
        """Return the data of the reply to a command that nothing else that was entered has."""
        self.enter(line)
        command = line.split()[0]
        reply = self._replies.take(lambda reply: reply["command"] == command, f"reply to {line}")
        if "error" in reply:
            raise AssertionError(f"{line}: {reply['error']}")
        return reply["data"]

    def check(self) -> None:
        """Raise AssertionError if it has ended by itself."""
        if self._events.ended:
            self.close()
            raise AssertionError(f"{self.home.name} has ended")


class Speaker:
    """A node with the data folder `home`; what it says is noted in `out`, what it hears in `heard`.

    `name` and `peer` are whole ids.
    """

    def __init__(
        self, home: Path, name: str, peer: str, rendezvous: int, out: Ledger, heard: Ledger
    ) -> None:
        self.name = name
        self.port = free_port()
        self._home = home
        self._peer = peer
        self._out = out
        self._heard = heard
        self._options = (
            *("--name", name.split("@")[0], "--bind", HERE, "--port", str(self.port)),
            *("--data-dir", str(home / "data"), "--rendezvous", f"{HERE}:{rendezvous}"),
        )
        self._run: Run | None = None
        self._entered: list[str] = []
        home.mkdir()
        (home / "config.json").write_text(json.dumps(CONFIG))

    @property
    def run(self) -> Run:
        """The process; AssertionError if there is none."""
        if self._run is None:
            raise AssertionError(f"{self.name} does not run")
        return self._run

    def start(self) -> None:
        """Start the node, but don't wait for anything."""
        self._run = Run(self._home, *self._options)
        self._entered = []

    def say(self, text: str) -> None:
        """Enter a message, unless too many have no reply yet."""
        self.run.check()
        if self.unanswered < MAX_UNANSWERED:
            self._out.enter(text)
            self._entered.append(text)
            self.run.enter(f"/msg {self._peer} {text}")

    @property
    def has_heard(self) -> bool:
        """Whether anything was said to this run of the node."""
        return any(event["event"] == "message" for event in self.run.said)

    @property
    def unanswered(self) -> int:
        """How many lines have no reply yet."""
        return len(self._entered) - len(self.run.replies)

    def outbox(self) -> list[str]:
        """Ask for the texts that wait to be delivered, as far as they tell which these are."""
        return [f"{entry['text']:.20}" for entry in self.run.ask_besides("/outbox")]

    def kill(self) -> None:
        """Kill the node, and note all that it said; AssertionError if it complained."""
        run = self.run
        run.kill()
        self._end(run)

    def stop(self) -> list[Event]:
        """End the node in order, and note all that it said; return all messages that it keeps."""
        run = self.run
        path = self._home / "history.jsonl"
        run.ask_besides(f"/export {path}")
        run.terminate()
        run.wait_for_exit()
        self._end(run)
        kept = [json.loads(line) for line in path.read_bytes().splitlines()]
        return sorted(kept, key=lambda entry: int(entry["stored_id"]))

    def close(self) -> None:
        """End whatever still runs, after a failure."""
        if self._run is not None:
            self._run.kill()

    def _end(self, run: Run) -> None:
        self._run = None
        # what is asked besides comes behind all that was said
        for text, reply in zip(self._entered, run.replies, strict=False):
            self._out.reply(text, reply)
        for event in run.said:
            if event["event"] == "delivery":
                self._out.delivery(event)
            elif event["event"] == "message":
                self._heard.show(event["msg_id"], event["text"])
        run.close()


def messages(kept: list[Event], direction: str) -> list[Message]:
    """Return the messages of one direction, `in` or `out`, from what a node keeps."""
    return [
        Message(entry["msg_id"], entry["text"]) for entry in kept if entry["direction"] == direction
    ]
