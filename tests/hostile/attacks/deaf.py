"""Peers that never read what the node writes to them."""

import time
from typing import ClassVar

from tests.hostile.attack import Attack, Tell, hello
from tests.hostile.target import ARCHIVE_HOST
from tests.integration.nodes import Node
from tests.integration.programs import HERE

TEXT = "x" * 20_000


class DeafToPublications(Attack):
    """60 peers that never read, half of them legacy, while the node publishes 500 kB a second.

    They ask PINGs too, so that there are answers to write.
    """

    name = "deaf-publications"
    crowd_size: ClassVar[int] = 60

    def prepare(self) -> None:
        for number in range(self.crowd_size):
            first = hello(f"deaf{number}", agent="hostile" if number % 2 else "")
            self.crowd.join(HERE, self.target.chat, "127.66.2.1", first=first, deaf=True)

    def step(self) -> None:
        for member in list(self.crowd.members):
            self.crowd.say(member, b'{"type":"PING","msg_id":"ask","ttl":1}\n' * 5, messages=5)
        time.sleep(0.1)

    @classmethod
    def provoke(cls, node: Node, tell: Tell) -> None:
        for _ in range(5):
            node.data(f"/pub * {TEXT}")


class DeafToArchive(Attack):
    """60 peers of the archive that ask for it without end and never read.

    The archive has 1,000 chats, and the node adds one as often as it can.
    """

    name = "deaf-archive"
    archive = True
    crowd_size: ClassVar[int] = 60

    def prepare(self) -> None:
        for number in range(self.crowd_size):
            self.crowd.join(ARCHIVE_HOST, self.target.archive, f"127.66.2.{number + 1}", deaf=True)

    def step(self) -> None:
        for member in list(self.crowd.members):
            self.crowd.say(member, b"\x01\x03" * 50, messages=100)
        time.sleep(0.1)

    @classmethod
    def provoke(cls, node: Node, tell: Tell) -> None:
        if not node.data("/archive")["mining"]:
            node.data(f"/chat pushed to the deaf at {time.monotonic()}")
