"""The history when the disk is full, when its file is damaged, and when the clock steps back."""

import os
import resource
import shutil
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from random import Random

from tests.integration import nodes
from tests.integration.nodes import Node
from tests.integration.programs import ROOT, environment
from tests.integration.raw import RawLink
from tests.integration.test_history_node import HistoryCase, say, spoken
from tests.integration.waiting import wait_until

#: What a page of the database has, in bytes.
PAGE = 4096

#: How many messages there are in a file that is damaged.
SIZE = 60


class FullDiskTests(HistoryCase):
    """A limit of the process stands in for the end of the disk."""

    def setUp(self) -> None:
        super().setUp()
        self.node = self.start_ready("alice", "--log-level", "WARNING")
        self.link = self.greet(self.node)
        for number in range(20):
            say(self.link, f"before {number}", f"before {number}")

    def fill_disk(self) -> None:
        """Let no file become longer than the longest is."""
        log = self.data_dir("alice") / "history.db-wal"
        self.set_limit(log.stat().st_size)

    def set_limit(self, size: int) -> None:
        pid = int((self.data_dir("alice") / "twistd.pid").read_text())
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def test_full_for_a_while(self) -> None:
        """What can't be stored is not acknowledged; it is told once, and the node lives on."""
        self.fill_disk()
        for msg_id in ("1", "2", "1"):
            self.link.send(spoken(msg_id, f"text {msg_id}"))
        self.node.wait_for("notice", level="error")
        self.assertIn("not sent", self.node.ask("/msg raw hi")["error"])
        for msg_id in ("1", "2"):
            self.link.send(spoken(msg_id, f"text {msg_id}"))
        self.pass_through(self.link)
        self.assertIn("not sent", self.node.ask("/msg raw hi")["error"])
        self.assertEqual(len(self.node.data("/history 1000")), 20)
        self.assertEqual(len(self.node.events("notice", level="error")), 1)
        self.assertEqual(self.acknowledged(self.link, "1", "2"), [])
        self.assertEqual(self.shown(self.node)[20:], [])
        self.set_limit(resource.RLIM_INFINITY)
        self.assert_well_again()

    def assert_well_again(self) -> None:
        link = self.greet(self.node) if self.link.received.ended else self.link
        for msg_id in ("1", "2", "1"):
            link.send(spoken(msg_id, f"text {msg_id}"))
        wait_until(
            lambda: self.acknowledged(link, "1", "2") == ["1", "2", "1"], "three acknowledgements"
        )
        self.node.wait_for("notice", level="info", text="the history is written again")
        say(link, "3", "text 3")
        self.node.wait_for("message", text="text 3")
        self.assertEqual(self.shown(self.node)[20:], ["text 1", "text 2", "text 3"])
        self.assertEqual(self.kept(self.node)[20:], ["text 1", "text 2", "text 3"])
        self.node.data("/msg nobody@CIC hi")
        self.assertEqual(len(self.node.data("/outbox")), 1)
        self.assertEqual(len(self.node.events("notice", level="error")), 1)

    def test_killed_while_it_is_full(self) -> None:
        """What was acknowledged before is there, and nothing else."""
        self.fill_disk()
        self.link.send(spoken("1", "text 1"))
        self.node.wait_for("notice", level="error")
        node = self.restart(self.node, "alice")
        self.assertEqual(self.kept(node), [f"before {number}" for number in range(20)])
        say(self.greet(node), "1", "text 1")
        node.wait_for("message", text="text 1")

    def acknowledged(self, link: RawLink, *msg_ids: str) -> list[str]:
        lines = link.received.all()
        return [m["msg_id"] for m in lines if m["type"] == "ACK" and m["msg_id"] in msg_ids]

    def pass_through(self, link: RawLink) -> None:
        """Wait until the node has read what was sent before."""
        link.send({"type": "PING", "msg_id": "last"})
        link.wait_for("PONG", msg_id="last")


class DamageTests(HistoryCase):
    """A file that was changed while the node was down."""

    def setUp(self) -> None:
        super().setUp()
        self.random = Random(4)
        node = self.start_ready("alice")
        link = self.greet(node)
        self.texts = [f"text {number} {'x' * 200}" for number in range(SIZE)]
        for number, text in enumerate(self.texts):
            link.send(spoken(str(number), text))
        link.wait_for("ACK", msg_id=str(SIZE - 1))
        link.close()  # who does not answer a goodbye holds the node up
        self.assertEqual(len(node.data("/search text")), 50)  # the indexes are written too
        self.end_in_order(node)
        self.whole = self.folder / "whole"
        shutil.copytree(self.data_dir("alice"), self.whole)
        self.size = (self.whole / "history.db").stat().st_size

    def end_in_order(self, node: Node) -> None:
        """End the node; again if it had not looked through its file yet."""
        for _ in range(5):
            node.terminate()
            node.wait_for_exit()
            if (self.data_dir("alice") / "history.db-closed").exists():
                return
            node = self.start_ready("alice")
            node.data("/search text")
        self.fail("it was never closed in order")

    def test_cut_off(self) -> None:
        """All that stands in the pages that are left is taken over."""
        sizes = [0, 50, *(self.random.randrange(100, self.size) for _ in range(2))]
        for size in sizes:
            self.assertTrue(self.damage(partial(_cut, size=size), self.readable(size)), size)
        readable = self.readable(self.size - PAGE)
        self.assertGreater(len(readable), SIZE // 2)
        self.assertTrue(self.damage(partial(_cut, size=self.size - PAGE), readable))

    def readable(self, size: int) -> set[str]:
        """Return the texts that stand in the whole pages of so many bytes."""
        data = (self.whole / "history.db").read_bytes()[: size // PAGE * PAGE]
        return {text for text in self.texts if text.encode() in data}

    def test_written_over(self) -> None:
        self.assertTrue(self.damage(lambda file: _write_over(file, 0, bytes(PAGE))))
        offsets = [self.random.randrange(self.size - PAGE) for _ in range(3)]
        noticed = [self.damage_at(offset) for offset in offsets]
        self.assertIn(True, noticed)

    def damage_at(self, offset: int) -> bool:
        noise = self.random.randbytes(PAGE)
        return self.damage(lambda file: _write_over(file, offset, noise))

    def damage(self, how: Callable[[Path], None], readable: Collection[str] = ()) -> bool:
        """Damage the file, start the node on it and use it; tell whether damage was noticed.

        What is `readable` of it must be there in the end.
        """
        folder = self.data_dir("alice")
        shutil.rmtree(folder)
        shutil.copytree(self.whole, folder)
        how(folder / "history.db")
        node = self.start_ready("alice")
        node.wait_for("history")
        wait_until(lambda: set(readable) <= set(self.kept(node)), "all that can be read")
        left = self.kept(node)
        self.assert_works(node)
        noticed = self.assert_told(node, folder)
        if noticed:
            self.assertLessEqual(set(left), set(self.texts))
        else:
            self.assertEqual(left, self.texts, node.events("notice"))
        node.terminate()
        node.wait_for_exit()
        return noticed

    def assert_works(self, node: Node) -> None:
        link = self.greet(node, "other")
        say(link, "new", "olá de novo")
        link.close()
        node.wait_for("message", text="olá de novo")
        node.data("/msg nobody@CIC hi")
        self.assertEqual(len(node.data("/outbox")), 1)
        [found] = node.data("/search ola")
        self.assertEqual(found["entry"]["text"], "olá de novo")
        self.assertEqual(self.kept(node)[-2:], ["olá de novo", "hi"])

    def assert_told(self, node: Node, folder: Path) -> bool:
        """Check that the user is told where the old file is, if it is not in use any more."""
        aside = folder / "history.db.bad"
        told = [event for event in node.events("notice") if str(aside) in event["text"]]
        self.assertEqual(bool(told), aside.exists(), node.events("notice"))
        return bool(told)


class LiveDamageTests(HistoryCase):
    """A file that is written over while the node has it open."""

    def test_what_waits_outlives_its_file(self) -> None:
        """It is in the file that takes the place of the damaged one, also if the node is killed."""
        alice = self.start_ready("alice")
        texts = [f"text {number}" for number in range(20)]
        sent = [alice.data(f"/msg bob@CIC {text}")["msg_id"] for text in texts]
        folder = self.data_dir("alice")
        for name in ("history.db", "history.db-wal"):
            size = (folder / name).stat().st_size
            _write_over(folder / name, 0, Random(5).randbytes(size))
        alice.ask("/history")  # whoever reads it finds it damaged
        notice = alice.wait_for("notice", level="error")
        self.assertIn(str(folder / "history.db.bad"), notice["text"])
        wait_until(lambda: len(alice.data("/outbox")) == len(texts), "all that waits in the outbox")
        self.assertEqual([entry["msg_id"] for entry in alice.data("/outbox")], sent)
        self.assertEqual(alice.data(f"/cancel {sent[0]}")["text"], texts[0])
        alice = self.restart(alice, "alice")
        self.wait_for_history(alice, 0, len(texts) - 1)
        bob = self.start_ready("bob")
        alice.wait_for("delivery", msg_id=sent[-1], state="delivered")
        alice.deliver("bob", "last")
        bob.wait_for("message", text="last")
        self.assertEqual(self.shown(bob), [*texts[1:], "last"])


class ClockTests(HistoryCase):
    """The clock of the system steps back by an hour, between two runs and in one."""

    def setUp(self) -> None:
        super().setUp()
        self.shift = self.folder / "shift"
        self.shift.write_text("0")
        (self.folder / "sitecustomize.py").write_text(_OTHER_CLOCK.format(file=str(self.shift)))
        path = f"{self.folder}{os.pathsep}{ROOT}"
        self.patch(nodes, "environment", lambda home: environment(home, PYTHONPATH=path))

    def step_back(self, hours: int) -> None:
        """Let the clocks of all nodes be so many hours behind."""
        self.shift.write_text(str(-3600 * hours))

    def test_steps_back(self) -> None:
        texts = ["zero", "one", "two"]
        node = self.start_ready("alice")
        for hours, text in enumerate(texts):
            if hours == 1:
                node.kill()
            self.step_back(hours)
            if hours == 1:
                node = self.start_ready("alice")
            say(self.greet(node), text, f"in {text}")
            node.wait_for("message", text=f"in {text}")
            node.data(f"/msg bob@CIC out {text}")
        self.assert_stepped(node)
        say(self.greet(node), "zero", "in zero")
        bob = self.start_ready("bob")
        for text in texts:
            bob.wait_for("message", text=f"out {text}")
        node.deliver("bob", "last")
        bob.wait_for("message", text="last")
        self.assertEqual(self.shown(bob), [*(f"out {text}" for text in texts), "last"])
        self.assertEqual(self.shown(node), ["in one", "in two"])
        self.assertEqual(node.data("/unread")["total"], 3)
        unread = [entry["text"] for entry in node.data("/history 1000") if entry["unread"]]
        self.assertEqual(unread, [])
        both = [f"{way} {text}" for text in texts for way in ("in", "out")]
        self.assertEqual(sorted(self.kept(node)), sorted([*both, "last"]))
        self.assertEqual(len(node.data("/search in")), 3)
        wait_until(lambda: not node.data("/outbox"), "the outbox empty")

    def assert_stepped(self, node: Node) -> None:
        """Check that the node's clock is the one that we step."""
        queued_at = [entry["queued_at"] for entry in node.data("/outbox")]
        self.assertEqual(queued_at, sorted(queued_at, reverse=True))
        self.assertEqual(len(queued_at), 3)


#: Has a node tell another time than the system; it is the first thing that Python imports.
_OTHER_CLOCK = """
from datetime import timedelta
from pathlib import Path

import p2pchat.tap

now = p2pchat.tap._utc_now
p2pchat.tap._utc_now = lambda: now() + timedelta(seconds=int(Path({file!r}).read_text()))
"""


def _cut(file: Path, size: int) -> None:
    os.truncate(file, size)


def _write_over(file: Path, offset: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(offset)
        opened.write(data)
