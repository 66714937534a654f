"""Nodes as processes, driven through their JSON console: the public interface, and nothing else."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from tests.integration.programs import end, environment, twistd
from tests.integration.waiting import PATIENCE, Record, wait_until

Event = dict[str, Any]

#: How a node may end: by a command or the end of its input, or by the signal that stops it.
_CLEAN = (0, -signal.SIGTERM)


class Node:
    """A running node.

    Every line on its standard output must be an event, and nothing may come on standard error. It
    has an archive only if an option says where, for all that have one share it.
    """

    def __init__(self, home: Path, *options: str) -> None:
        self.home = home
        if not any(option.startswith("--archive-") for option in options):
            options = (*options, "--no-archive")
        self._errors = (home / "stderr").open("w+b")
        self._process = subprocess.Popen(
            self.command("p2pchat", "--console", "json", *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=home,
            env=environment(home),
        )
        self._events: Record[Event] = Record()
        self._replies: Record[Event] = Record()
        self._killed = False
        self.ready: Event = {}
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def command(self, *arguments: str) -> list[str]:
        """Make the command line; a subclass may watch the program from inside."""
        return twistd(*arguments)

    @property
    def peer_id(self) -> str:
        return str(self.wait_until_ready()["peer_id"])

    @property
    def port(self) -> int:
        return int(self.wait_until_ready()["port"])

    # What it says

    def wait_until_ready(self) -> Event:
        self.ready = self.ready or self.wait_for("ready")
        return self.ready

    def wait_for(self, event: str, timeout: float = PATIENCE, **fields: object) -> Event:
        """Return the first such event that was not returned before.

        A field's name may end with an underscore, for `from` is no name in Python.
        """
        wanted = {"event": event} | {name.rstrip("_"): value for name, value in fields.items()}
        try:
            return self._events.take(
                lambda seen: seen | wanted == seen, f"{wanted} of {self.home.name}", timeout
            )
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._story()}") from None

    def events(self, event: str, **fields: object) -> list[Event]:
        """Return all such events so far."""
        wanted = {"event": event} | {name.rstrip("_"): value for name, value in fields.items()}
        return [seen for seen in self._events.all() if seen | wanted == seen]

    # What it is told

    def ask(self, line: str) -> Event:
        """Enter a line and return the reply to it."""
        self.enter(line)
        try:
            return self._replies.take(lambda _: True, f"a reply to {line:.80}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._story()}") from None

    def data(self, line: str) -> Any:
        """Enter a line that must succeed and return the data of its reply."""
        reply = self.ask(line)
        if "error" in reply:
            raise AssertionError(f"{line:.80}: {reply['error']}\n{self._story()}")
        return reply["data"]

    def deliver(self, peer: str, text: str) -> str:
        """Send text to a peer, wait until it is delivered and return its msg_id."""
        msg_id: str = self.data(f"/msg {peer} {text}")["msg_id"]
        self.wait_for("delivery", msg_id=msg_id, state="delivered")
        return msg_id

    def discover(self, *peers: str) -> None:
        """Ask for peers until these are known."""
        wait_until(
            lambda: {peer["peer_id"] for peer in self.data("/peers")} >= set(peers),
            f"{peers} known to {self.home.name}",
        )

    def enter(self, line: str) -> None:
        """Enter a line without waiting for its reply."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended; whoever waits for the reply is told so
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def end_input(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    # Its process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def memory(self) -> int:
        """Its resident memory in bytes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        kilobytes = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kilobytes.split()[1]) * 1024

    @property
    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self.home.rglob("p2pchat.log*")))

    @property
    def errors(self) -> str:
        """What it wrote to standard error."""
        return (self.home / "stderr").read_text()

    def terminate(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Let it end without any goodbye."""
        self._killed = True
        self._process.kill()
        self._process.wait(PATIENCE)

    def wait_for_exit(self, timeout: float = PATIENCE) -> int:
        """Wait until it has ended and all it said is read; return its exit status."""
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s\n{self._story()}") from None
        self._reader.join(PATIENCE)
        return status

    def close(self) -> None:
        """End it if it still runs; AssertionError if anything about it was not as it should be."""
        status = end(self._process)
        self._reader.join(PATIENCE)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()
        wrong = [event for event in self._events.all() if event["event"] == "not an event"]
        if self.errors or wrong or "Traceback" in self.log:
            raise AssertionError(f"it complained: {wrong}\n{self._story()}")
        if status not in _CLEAN and not self._killed:
            raise AssertionError(f"it ended with status {status}\n{self._story()}")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = _parse(line)
            (self._replies if event["event"] == "reply" else self._events).add(event)
        for record in (self._events, self._replies):
            record.end("the node closed its output")

    def _story(self) -> str:
        tail = "\n".join(self.log.splitlines()[-25:])
        return f"--- log of {self.home.name}\n{tail}\n--- its standard error\n{self.errors[-2000:]}"


def _parse(line: bytes) -> Event:
    try:
        event = json.loads(line)
        return event if isinstance(event["event"], str) else {"event": "not an event"}
    except (ValueError, KeyError, TypeError):
        return {"event": "not an event", "line": repr(line[:500])}
