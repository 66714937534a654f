"""Runs a TtyConsole on the terminal with a fake node, for tests in a pseudo terminal.

    python -m tests.ui.tty_driver REACTOR DATA_DIR

The fake node knows bob@CIC and "anna b@CIC". Whatever is sent to a peer is delivered, but "lost"
fails, "late" stays under way, and "burst" and "flood" are answered by many messages. The exit is
written to DATA_DIR/exit: "clean", or "hangs" if the prompt's thread is still there.
"""

import asyncio
import sys
import threading
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from twisted.internet import asyncioreactor, epollreactor, selectreactor

from p2pchat.events import DeliveryChanged, MessageReceived, PeerUp, Ready
from tests.ui.fakes import FakeNode

ANSWERS = {"burst": 300, "flood": 20_000}


def now() -> datetime:
    return datetime.now(UTC)


class DrivenNode(FakeNode):
    """A fake node that answers what is typed."""

    def __init__(self, reactor) -> None:
        super().__init__("bob@CIC", "anna b@CIC")
        self._reactor = reactor

    def begin(self) -> None:
        self.report(Ready(time=now(), peer_id=self.peer_id, host="0.0.0.0", port=4000))
        self.report(
            PeerUp(
                time=now(), peer_id="bob@CIC", direction="in", address="127.0.0.1:4001", modern=True
            )
        )

    def send(self, peer, text):
        stored = super().send(peer, text)
        return stored.addCallback(self._move_on, peer, text)

    def _move_on(self, msg_id, peer, text):
        state = "failed" if text == "lost" else "sent" if text == "late" else "delivered"
        reason = "no answer within 5 s" if text == "lost" else ""
        self.report(DeliveryChanged(time=now(), msg_id=msg_id, to=peer, state="sent"))
        change = DeliveryChanged(time=now(), msg_id=msg_id, to=peer, state=state, reason=reason)
        self._reactor.callLater(0.05, self.report, change)
        if text in ANSWERS:
            self._reactor.callLater(0, self._answer, text)
        return msg_id

    def leave(self) -> None:
        if self._reactor.running:
            self._reactor.stop()

    def _answer(self, text: str) -> None:
        fields = {"time": now(), "source": "bob@CIC", "to": self.peer_id, "kind": "send"}
        for number in range(ANSWERS[text]):
            answer = f"{text} {number}"
            self.report(MessageReceived(msg_id=str(number), text=answer, **fields))


def install(name: str) -> None:
    """Install the reactor called name."""
    if name == "asyncio":
        asyncioreactor.install(asyncio.new_event_loop())
    elif name == "epoll":
        epollreactor.install()
    else:
        selectreactor.install()


def main(name: str, data_dir: Path) -> None:
    """Run the console until it leaves."""
    install(name)
    from twisted.internet import reactor

    from p2pchat.ui.console import choose_console, inspect, make_console

    node = DrivenNode(reactor)
    stdin, stdout = sys.__stdin__, sys.__stdout__
    kind = choose_console("auto", inspect(stdin), inspect(stdout), environ.get("TERM", ""))
    given = dict(environ)
    environ.pop("NO_COLOR", None)  # only what the console is given counts
    console = make_console(kind, reactor, node, data_dir, given, now, stdin, stdout)
    console.startService()
    reactor.callWhenRunning(node.begin)
    reactor.addSystemEventTrigger("before", "shutdown", console.stopService)
    reactor.run()
    prompts = [thread for thread in threading.enumerate() if thread.name == "prompt"]
    for thread in prompts:
        thread.join(1)
    hangs = any(thread.is_alive() for thread in prompts)
    (data_dir / "exit").write_text("hangs" if hangs else "clean")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
