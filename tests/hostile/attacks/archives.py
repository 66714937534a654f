"""Archives that are of no use to the node."""

import time
from typing import Any, ClassVar

from tests.hostile.attack import Attack
from tests.hostile.target import ARCHIVE_HOST, ATTACKER_HOST, Tally
from tests.integration.archive_cases import published
from tests.integration.archive_chain import grown, response

#: How often an archive is sent, in seconds.
_PAUSE = 0.02


class _Archives(Attack):
    """An attack by archives, sent again and again over one link."""

    archive = True
    archives: tuple[bytes, ...] = ()

    def prepare(self) -> None:
        self._sent = 0

    def step(self) -> None:
        if not self.crowd.members:
            self.crowd.join(ARCHIVE_HOST, self.target.archive, ATTACKER_HOST)
        for member in list(self.crowd.members):
            if self.crowd.say(member, self.archives[self._sent % len(self.archives)]):
                self._sent += 1
        for _ in self.crowd.hear(_PAUSE):
            pass

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        found = node.data("/val")
        if found["height"] < len(published()) or found["invalid"] is not None:
            return [f"the archive suffered: {found}"]
        return []


class UnsolicitedArchives(_Archives):
    """Valid archives that change nothing, 50 a second: the node's own, a shorter one, another."""

    name = "useless-archives"

    def prepare(self) -> None:
        super().prepare()
        own = published()
        other = grown((), *"abcd")
        self.archives = tuple(map(response, (own, own[:-1], other, ())))


class WorthlessClaims(_Archives):
    """Archives that are longer than the node's and break off at their last chat, 25 a second."""

    name = "invalid-archives"
    broken: ClassVar[bytes] = b"\x08nonsense" + bytes(32)

    def prepare(self) -> None:
        super().prepare()
        self.archives = (response((*published(), self.broken)),)

    def step(self) -> None:
        super().step()
        time.sleep(_PAUSE)

    @classmethod
    def verdict(cls, node: Any, tally: Tally) -> list[str]:
        paused = node.events("archive_peer", address=ATTACKER_HOST, state="paused")
        tally.paused += len(paused)
        return super().verdict(node, tally) + ([] if paused else ["nobody is paused"])
