"""What was said is found again, and what was sent arrives, whoever crashes when."""

import json
import stat
from pathlib import Path
from typing import Any

from tests.integration.cases import NetworkCase
from tests.integration.legacy import LegacyPeer
from tests.integration.nodes import Event, Node
from tests.integration.programs import HERE, free_port, run, twistd
from tests.integration.raw import Message, Notes, RawLink, connect
from tests.integration.waiting import wait_until

#: Peers of an earlier run are dialled again at once.
QUICK = {"reconnect_backoff_base": 1, "reconnect_backoff_max": 0.2}


class HistoryCase(NetworkCase):
    """Nodes with a folder of their own, which a node of the same name finds again."""

    def data_dir(self, name: str) -> Path:
        [folder] = self.home(name).rglob(f"{name}@CIC")
        return folder

    def restart(self, node: Node, name: str, *options: str) -> Node:
        """Kill a node without any goodbye and start it again."""
        node.kill()
        return self.start_ready(name, *options)

    def greet(self, node: Node, name: str = "raw") -> RawLink:
        """Say HELLO as one of our own kind."""
        link = RawLink(connect(node.port), Notes())
        self.addCleanup(link.close)
        link.send({"type": "HELLO", "peer_id": f"{name}@CIC", "agent": "raw"})
        link.wait_for("HELLO_OK")
        return link

    def shown(self, node: Node) -> list[str]:
        return [event["text"] for event in node.events("message")]

    def kept(self, node: Node) -> list[str]:
        return [entry["text"] for entry in node.data("/history 1000")]

    def wait_for_history(self, node: Node, unread: int, waiting: int) -> None:
        """Check what a node says at its start of what earlier runs left."""
        event = node.wait_for("history")
        self.assertEqual((event["unread"], event["waiting"]), (unread, waiting))

    def wait_for_states(self, node: Node, peer: str, *states: str) -> None:
        """Wait until the history has these states, which are told as soon as they are known."""
        wait_until(
            lambda: [entry["state"] for entry in node.data(f"/history {peer}")] == list(states),
            f"{states} of the messages to {peer}",
        )


def say(link: RawLink, msg_id: str, text: str) -> None:
    """Send a text and wait until it is acknowledged."""
    link.send(spoken(msg_id, text))
    link.wait_for("ACK", msg_id=msg_id)


def spoken(msg_id: str, text: str) -> Message:
    return {"type": "SEND", "msg_id": msg_id, "payload": text}


class OutboxTests(HistoryCase):
    def test_a_message_to_a_peer_never_seen(self) -> None:
        """It waits, survives a crash of its sender, arrives once, and both find it."""
        alice = self.start_ready("alice")
        sent = alice.data("/msg bob@CIC Vamos ao café?")
        self.assertEqual((sent["to"], sent["absent"]), ("bob@CIC", True))
        alice.wait_for("delivery", msg_id=sent["msg_id"], state="queued")
        alice = self.restart(alice, "alice")
        self.wait_for_history(alice, 0, 1)
        [waiting] = alice.data("/outbox")
        self.assertEqual((waiting["msg_id"], waiting["text"]), (sent["msg_id"], "Vamos ao café?"))
        bob = self.start_ready("bob")
        for state in ("sent", "delivered"):
            alice.wait_for("delivery", msg_id=sent["msg_id"], state=state)
        bob.wait_for("message", msg_id=sent["msg_id"], text="Vamos ao café?")
        # it is told as soon as it is known, and noted then
        wait_until(lambda: not alice.data("/outbox"), "the outbox empty")
        bob = self.restart(bob, "bob")
        # alice serves the rendezvous: were she gone before bob is linked to her, he would find her
        # when he asks it the next time, up to a minute later
        bob.wait_for("peer_up", peer_id="alice@CIC")
        alice = self.restart(alice, "alice")
        alice.deliver("bob", "after")
        bob.wait_for("message", text="after")
        self.assertEqual(self.shown(bob), ["after"])
        for node, state in ((alice, "delivered"), (bob, "")):
            self.assertEqual(self.kept(node), ["Vamos ao café?", "after"])
            [found] = node.data("/search cafe")
            self.assertEqual(found["entry"]["text"], "Vamos ao café?")
            self.assertEqual(found["entry"]["state"], state, node.home)
            self.assertEqual(found["marks"], [[9, 13]])

    def test_what_waits_can_be_withdrawn(self) -> None:
        alice = self.start_ready("alice")
        sent = [alice.data(f"/msg bob@CIC {text}")["msg_id"] for text in ("one", "two", "three")]
        ids = [entry["stored_id"] for entry in alice.data("/outbox")]
        for id_, msg_id in ((ids[0], sent[0]), (sent[1], sent[1])):
            self.assertEqual(alice.data(f"/cancel {id_}")["msg_id"], msg_id)
            failed = alice.wait_for("delivery", msg_id=msg_id, state="failed")
            self.assertEqual(failed["reason"], "withdrawn")
            self.assertIn("no message", alice.ask(f"/cancel {id_}")["error"])
        self.assertEqual([entry["msg_id"] for entry in alice.data("/outbox")], sent[2:])
        alice = self.restart(alice, "alice")
        bob = self.start_ready("bob")
        alice.wait_for("delivery", msg_id=sent[2], state="delivered")
        alice.deliver("bob", "after")
        bob.wait_for("message", text="after")
        self.assertEqual(self.shown(bob), ["three", "after"])
        self.wait_for_states(alice, "bob", "failed", "failed", "delivered", "delivered")


class RestartTests(HistoryCase):
    def test_a_message_repeated_after_a_crash(self) -> None:
        """It is acknowledged again and shown once; another peer's id has nothing to do with it."""
        node = self.start_ready("alice")
        say(self.greet(node), "1", "one")
        self.assertEqual(node.wait_for("message")["text"], "one")
        node = self.restart(node, "alice")
        link = self.greet(node)
        for msg_id, text in (("1", "one"), ("2", "two"), ("1", "one"), ("2", "two")):
            say(link, msg_id, text)
        say(self.greet(node, "eve"), "1", "another one")
        node.wait_for("message", text="another one", from_="eve@CIC")
        self.assertEqual(self.shown(node), ["two", "another one"])
        self.assertEqual(self.kept(node), ["one", "two", "another one"])

    def test_what_is_told_at_the_start(self) -> None:
        node = self.start_ready("alice")
        self.wait_for_history(node, 0, 0)
        link = self.greet(node)
        for number in range(3):
            say(link, str(number), f"text {number}")
        node.data("/msg bob@CIC hi")
        node.data("/msg carol@CIC hi")
        node = self.restart(node, "alice")
        self.wait_for_history(node, 3, 2)
        unread = node.data("/unread")
        self.assertEqual(unread["total"], 3)
        self.assertEqual([e["text"] for e in unread["entries"]], ["text 0", "text 1", "text 2"])
        node = self.restart(node, "alice")
        self.wait_for_history(node, 0, 2)
        self.assertEqual(node.data("/unread"), {"total": 0, "entries": [], "left": 0})

    def test_ephemeral(self) -> None:
        node = self.start_ready("alice", "--ephemeral")
        say(self.greet(node), "1", "one")
        node.data("/msg bob@CIC hi")
        self.assertEqual(self.kept(node), ["one", "hi"])
        files = {path.name for path in self.data_dir("alice").iterdir()}
        self.assertEqual(files, {"lock", "p2pchat.log", "twistd.pid"})
        node = self.restart(node, "alice", "--ephemeral")
        self.assertEqual((self.kept(node), node.data("/outbox")), ([], []))
        say(self.greet(node), "1", "one")
        self.assertEqual(node.wait_for("message")["text"], "one")


class FilesTests(HistoryCase):
    def test_for_the_eyes_of_their_owner(self) -> None:
        node = self.start_ready("alice")
        say(self.greet(node), "1", "one")
        folder = self.data_dir("alice")
        self.assertEqual(_mode(folder), 0o700)
        self.assert_owners_only(folder, "history.db", "history.db-shm", "history.db-wal")
        node.terminate()
        node.wait_for_exit()
        self.assert_owners_only(folder, "history.db", "history.db-closed")

    def assert_owners_only(self, folder: Path, *names: str) -> None:
        modes = {path.name: _mode(path) for path in folder.glob("history.db*")}
        self.assertEqual(modes, dict.fromkeys(names, 0o600))

    def test_a_second_node_with_the_same_folder(self) -> None:
        folder = str(self.folder / "shared")
        alice = self.start_ready("alice", "--data-dir", folder)
        for name in ("alice", "bob"):
            place = ("--bind", HERE, "--port", str(free_port()), "--no-rendezvous")
            options = ("--name", name, "--no-archive", "--data-dir", folder)
            ran = run(twistd("p2pchat", *place, *options), self.home("other"))
            self.assertEqual((ran.stdout, ran.stderr.count("\n")), ("", 1), ran.stderr)
            self.assertIn("is running already", ran.stderr)
            self.assertIn(folder, ran.stderr)
            self.assertNotEqual(ran.returncode, 0)
        say(self.greet(alice), "1", "one")
        self.assertEqual(self.kept(alice), ["one"])

    def test_an_export_is_imported_once_however_often(self) -> None:
        alice = self.start_ready("alice")
        link = self.greet(alice)
        for number in range(3):
            say(link, str(number), f"olá {number}")
        alice.data("/msg bob@CIC are you there?")
        alice.data("/pub * hello, all")
        file = self.folder / "exported.jsonl"
        exported = alice.data(f"/export {file}")
        self.assertEqual((exported["file"], exported["messages"]), (str(file), 5))
        self.assertEqual(_mode(file), 0o600)
        self.assertIn("is there already", alice.ask(f"/export {file}")["error"])
        options = ("--data-dir", str(self.folder / "another"), "--import", str(file))
        again = self.restart(alice, "alice", *options)
        self.wait_for_import(again, "5 messages added, 0 skipped")
        self.assert_as_exported(again, file)
        again.data("/msg dave@CIC my own")
        again = self.restart(again, "alice", *options)
        self.wait_for_import(again, "0 messages added, 5 skipped (there already, or too old)")
        self.assertEqual(len(self.kept(again)), 6)
        self.assertEqual([entry["to"] for entry in again.data("/outbox")], ["dave@CIC"])
        self.assertEqual(len(again.data("/search ola")), 3)

    def test_of_a_friends_export_we_take_what_is_ours(self) -> None:
        alice = self.start_ready("alice")
        say(self.greet(alice), "1", "to alice")
        alice.data("/msg bob@CIC to bob")
        alice.data("/pub * to all")
        file = self.folder / "exported.jsonl"
        alice.data(f"/export {file}")
        raw = self.start_ready("raw", "--import", str(file))
        self.wait_for_import(raw, "2 messages added, 0 skipped, 1 left out (between others)")
        kept = _pick(raw.data("/history"), "from", "to", "direction", "state")
        sent = ("raw@CIC", "alice@CIC", "out", "delivered")
        self.assertEqual([tuple(one) for one in kept], [sent, ("alice@CIC", "*", "in", "")])
        self.assertIn("alice@CIC", raw.ask("/msg alice hi")["lines"][0])

    def wait_for_import(self, node: Node, words: str) -> None:
        path = self.folder / "exported.jsonl"
        node.wait_for("notice", level="info", text=f"{path}: {words}")

    def assert_as_exported(self, node: Node, file: Path) -> None:
        lines = [json.loads(line) for line in file.read_bytes().splitlines()]
        keys = ("time", "msg_id", "text", "kind", "direction")
        self.assertEqual(_pick(node.data("/history 1000"), *keys), _pick(lines, *keys))
        self.assertEqual(node.data("/outbox"), [])
        self.assertEqual(node.data("/unread")["total"], 0)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _pick(entries: list[Event], *keys: str) -> list[list[Any]]:
    return [[entry[key] for key in keys] for entry in entries]


class Unconfirming(LegacyPeer):
    """Shows what it gets, each time, but never acknowledges anything."""

    def wants_answer(self, message: Message) -> bool:
        return message["type"] in ("HELLO", "PING")


class LegacyTests(HistoryCase):
    def test_a_program_that_never_confirms(self) -> None:
        """It shows a message each time it gets it, so it gets it once a link, and not for ever."""
        config: dict[str, dict[str, Any]] = {
            "connection": {**QUICK, "ack_timeout": 0.3, "ping_interval": 0.5},
            "outbox": {"legacy_retries": 2},
        }
        node = self.start_ready("alice", **config)
        old = Unconfirming("old")
        self.addCleanup(old.close)
        links = [old.dial(node.port)]
        msg_id = node.data("/msg old hi")["msg_id"]
        self.assert_sent_once(links[0], msg_id)
        links[0].close()
        node.wait_for("peer_down", peer_id="old@CIC")
        links.append(old.dial(node.port))
        self.assert_sent_once(links[1], msg_id)
        node = self.restart(node, "alice")
        links.append(old.dial(node.port))
        self.assert_sent_once(links[2], msg_id)
        failed = node.wait_for("delivery", msg_id=msg_id, state="failed")
        self.assertEqual(failed["reason"], "sent 3 times, and never confirmed")
        links[2].close()
        node.wait_for("peer_down", peer_id="old@CIC")
        link = old.dial(node.port)
        self.let_time_pass(link)
        self.assertNotIn("SEND", link.kinds())
        self.assertEqual(node.data("/outbox"), [])
        link.send({"type": "ACK", "msg_id": msg_id, "timestamp": old.timestamp()})
        node.wait_for("delivery", msg_id=msg_id, state="delivered")
        self.wait_for_states(node, "old", "delivered")

    def assert_sent_once(self, link: RawLink, msg_id: str) -> None:
        """Check that a message comes, and, when much time has passed, has not come again."""
        link.wait_for("SEND", msg_id=msg_id)
        self.let_time_pass(link)
        self.assertEqual(link.kinds().count("SEND"), 1)

    def let_time_pass(self, link: RawLink) -> None:
        """Wait for several times as long as an acknowledgement may take."""
        for _ in range(4):
            link.wait_for("PING")
