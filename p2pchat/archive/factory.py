"""Accepting links from peers of the archive."""

from collections.abc import Callable

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import ServerFactory

from p2pchat.archive.protocol import ArchiveProtocol


class ArchiveServerFactory(ServerFactory):
    """Makes a link of each connection; its owner decides who has to make room."""

    noisy = False

    def __init__(self, build: Callable[[], ArchiveProtocol]) -> None:
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> ArchiveProtocol:
        return self._build()
