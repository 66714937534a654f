"""Connections for their own sake: too many of them, and such as say a byte now and then."""

import time
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar
from urllib.request import urlopen

from tests.hostile.attack import Attack, hello
from tests.hostile.crowd import Member
from tests.hostile.target import ARCHIVE_HOST, Tally
from tests.integration.archive_chain import grown, response
from tests.integration.programs import HERE


class ConnectionFlood(Attack):
    """1,600 connections, held: more than `max_links`, and from each address more than its share.

    Three of four say who they are and stay; the others are silent. One of the addresses is that of
    the honest peer. Who is cut off is replaced by a new one, with 400 new ones a second at most.
    """

    name = "connection-flood"
    room = 64 << 20
    crowd_size: ClassVar[int] = 1600
    addresses = (HERE, *(f"127.66.0.{number}" for number in range(1, 8)))

    def prepare(self) -> None:
        self._numbers = count()

    def step(self) -> None:
        for _ in range(4):
            if len(self.crowd.members) < self.crowd_size:
                self._join(next(self._numbers))
        deadline = time.monotonic() + 0.01
        while (left := deadline - time.monotonic()) > 0:
            for _ in self.crowd.hear(left):
                pass

    def _join(self, number: int) -> None:
        first = hello(f"flood{number}") if number % 4 else b""
        address = self.addresses[number % len(self.addresses)]
        self.crowd.join(HERE, self.target.chat, address, first=first)


class _Drips(Attack):
    """150 connections that each say one byte of something sensible every half second.

    Who is cut off is replaced by a new one.
    """

    crowd_size = 150
    said = b""

    def prepare(self) -> None:
        self._position: dict[Member, int] = {}
        self._numbers = count()

    def place(self) -> tuple[str, int]:
        """Return host and port of the listener."""
        raise NotImplementedError

    def step(self) -> None:
        self._fill()
        for member in list(self.crowd.members):
            at = self._position.get(member, 0)
            self._position[member] = at + 1
            self.crowd.say(member, self.said[at : at + 1] or b" ", messages=0)
        self._position = {member: self._position[member] for member in self.crowd.members}
        deadline = time.monotonic() + 0.5
        while (left := deadline - time.monotonic()) > 0:
            for _ in self.crowd.hear(left):
                pass

    def _fill(self) -> None:
        host, port = self.place()
        for _ in range(self.crowd_size - len(self.crowd.members)):
            address = f"127.66.1.{next(self._numbers) % 8 + 1}"
            self.crowd.join(host, port, address)


class DripsOnChat(_Drips):
    __doc__ = f"On the chat's port: {_Drips.__doc__}"

    name = "drips-chat"
    said = hello("drip")

    def place(self) -> tuple[str, int]:
        return HERE, self.target.chat


class DripsOnRendezvous(_Drips):
    __doc__ = f"On the rendezvous that the node serves: {_Drips.__doc__}"

    name = "drips-rendezvous"
    said = b'{"type": "REGISTER", "namespace": "CIC", "name": "drip", "port": 4000}\n'

    def place(self) -> tuple[str, int]:
        return HERE, self.target.rendezvous


class DripsOnMetrics(_Drips):
    """On the port for figures, 60 of them, while figures are asked for as Prometheus would."""

    name = "drips-metrics"
    crowd_size = 60
    metrics = True
    said = b"GET /metrics HTTP/1.1\r\nHost: drip\r\nX-Drip:"

    def prepare(self) -> None:
        super().prepare()
        self._page = f"http://{HERE}:{self.target.metrics}/metrics"
        self._asked = self._read = 0

    def place(self) -> tuple[str, int]:
        return HERE, self.target.metrics

    def step(self) -> None:
        super().step()
        self._asked += 1
        with suppress(OSError), urlopen(self._page, timeout=5) as page:
            self._read += b"p2pchat_info" in page.read()

    def finish(self) -> None:
        self.tally.remarks.append(f"{self._read} of {self._asked} pages of figures are read")
        super().finish()

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        (remark,) = tally.remarks
        read, _, asked, *_ = remark.split()
        return [] if int(read) == int(asked) > 0 else [f"only {remark}"]


class DripsOnArchive(_Drips):
    __doc__ = f"On the archive's port, an archive: {_Drips.__doc__}"

    name = "drips-archive"
    archive = True
    config: ClassVar[dict[str, dict[str, Any]]] = {"archive": {"progress_timeout": 3}}

    def prepare(self) -> None:
        super().prepare()
        self.said = response(grown((), "drip"))

    def place(self) -> tuple[str, int]:
        return ARCHIVE_HOST, self.target.archive
