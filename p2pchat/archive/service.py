"""The archive wing as a service: keeps, verifies, mines and replicates the public list of chats.

Its owner tells it of peers, and hears of it by events; front ends use it by ArchiveApi.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from p2pchat.api import ArchivedChat, ArchiveInfo, ChatInfo, Verification
from p2pchat.archive import kernel
from p2pchat.archive.archive import Archive
from p2pchat.archive.incoming import Incoming
from p2pchat.archive.keeper import Keeper
from p2pchat.archive.kernel import first_invalid
from p2pchat.archive.listener import ListeningPort
from p2pchat.archive.mining import Mining
from p2pchat.archive.neighbours import Neighbours
from p2pchat.archive.own import MARK_SIZE, OwnChats, Stored, look_up
from p2pchat.archive.record import check_text
from p2pchat.archive.replica import Change, Replica
from p2pchat.archive.reporter import Reporter
from p2pchat.archive.snapshots import archive_info, archived_chats
from p2pchat.archive.storage import Loaded, Storage
from p2pchat.config import Config, archive_bind, parse_archive_peer
from p2pchat.errors import ConfigError, RequestError
from p2pchat.events import Listener
from p2pchat.identity import Address, is_ip_literal
from p2pchat.text import visible

T = TypeVar("T")


class ArchiveService(MultiService):
    """The archive of a node; implements ArchiveApi and NeighboursListener."""

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        wall_clock: Callable[[], datetime],
        config: Config,
        storage: Storage,
        report: Listener,
    ) -> None:
        MultiService.__init__(self)
        self._reactor = reactor
        self._clock: IReactorTime = reactor
        self._rng = rng
        self._settings = config.archive
        self._reporter = Reporter(wall_clock, report, self._when_saved)
        self._own = OwnChats(config.archive.max_pending)
        self._replica = Replica(self._own, config.archive.max_archive_bytes)
        # one is as fast as several that wait for each other
        threads = config.archive.miners if kernel.is_parallel() else 1
        self._mining = Mining(reactor, rng, self._replica, threads, self._mined)
        reporter = self._reporter
        self._keeper = Keeper(reactor, storage, reporter.disk_failed, reporter.disk_recovered)
        bind = archive_bind(config)
        self._neighbours = Neighbours(reactor, rng, config, bind, self, reporter)
        self._port = ListeningPort(
            reactor,
            rng,
            Address(bind, config.archive.port),
            self._neighbours.factory,
            self._port_gained,
            self._port_taken,
        )
        self._loaded = False
        self._trouble = ""
        self._early: dict[Address, bool] = {}  # to be dialled when the archive is read; persistent
        self._starting: Deferred[None] | None = None

    # Starting and stopping

    def startService(self) -> None:
        MultiService.startService(self)
        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(lambda failure: self.log.failure("no archive", failure))

    async def _start(self) -> None:
        """Listen before anything is read: all who meet us are told of the port.

        Who connects waits until the archive is there.
        """
        await deferLater(self._clock, 0)  # the front end starts after us
        self._reporter.computed_by_kernel()
        if self.running:
            self._port.start()
        try:
            loaded = await self._keeper.load()
        except OSError as error:
            self._cannot_load(error)
            await self._port.stop()
            return
        self._take_up(loaded, await self._in_thread(look_up, loaded.own, loaded.archive))
        if self.running:
            self._open()

    def _cannot_load(self, error: OSError) -> None:
        self._trouble = f"no archive: {error.strerror or error}"
        self._reporter.not_loaded(self._trouble, self._own)

    def _take_up(self, loaded: Loaded, stored: Iterable[Stored]) -> None:
        for text in loaded.notices:
            self._reporter.notice("warning", text)
        self._replica.load(loaded.archive)
        self._own.restore(stored)
        self._loaded = True
        self._reporter.loaded(self.archive)
        self._keep_own()

    def _open(self) -> None:
        self._neighbours.start()
        self._port.accept()
        for peer in self._settings.peers:
            self._dial(self._address(peer))
        for address, persistent in self._early.items():
            self._neighbours.dial(address, persistent=persistent)
        self._mining.start()
        self._tell_of_waiting()

    async def leave(self) -> None:
        """Give up mining, close the links, and store what is not stored yet."""
        MultiService.stopService(self)
        mining = self._mining.stop()
        await self._port.stop()
        await self._neighbours.leave()
        await mining
        if self._starting is not None:
            await self._starting  # chats may have been asked for before the archive was read
        if self._loaded:
            await self._keeper.stop()
            if self._keeper.trouble:
                self._reporter.not_stored(self._keeper.trouble)

    # What front ends ask (ArchiveApi)

    def chat(self, text: str) -> ChatInfo:
        data = check_text(text)
        self._check_trouble()
        if not self._replica.has_room(data):
            raise RequestError(
                "the archive is full: it may have "
                f"{self._settings.max_archive_bytes} bytes (archive.max_archive_bytes)"
            )
        chat = self._own.add(data, self._rng.randbytes(MARK_SIZE))
        if self._loaded:
            self._keep_own()
        info = chat.info()
        self._reporter.chat_changed(info)
        self._mining.update()
        return info

    def history(self, count: int | None) -> list[ArchivedChat]:
        return archived_chats(self._replica, count)

    def info(self) -> ArchiveInfo:
        return archive_info(
            *(self._replica, self._mining, self._neighbours, self._port),
            loading=not (self._loaded or self._trouble),
            trouble=self._trouble or self._keeper.trouble,
        )

    def connect(self, host: str) -> None:
        self._check_trouble()
        address = self._address(host)
        ours = (self._port.address, self._port.holder) if self._port.open else ()
        if address in ours or self._neighbours.is_ourselves(address.host):
            raise RequestError(f"{visible(host)} is this node itself")
        if not self._dial(address):
            raise RequestError(f"{visible(host)} is dialled already")

    def request(self) -> int:
        return self._neighbours.request_archives()

    def verify(self) -> "Deferred[Verification]":
        archive, began = self.archive, self._clock.seconds()
        found = self._in_thread(first_invalid, archive.buffer, archive.offsets, 0, archive.height)

        def result(invalid: int | None) -> Verification:
            height = None if invalid is None else invalid + 1
            return Verification(archive.height, self._clock.seconds() - began, height)

        return found.addCallback(result)

    # What the node asks

    @property
    def waiting(self) -> int:
        """How many chats of ours are not in the archive yet."""
        return len(self._own.waiting)

    def offer(self) -> tuple[int, int, str] | None:
        """Return the port, height and tip that peers of our own kind are told, if we listen.

        As long as the archive is read it counts as empty.
        """
        if not self._port.open:
            return None
        return self._port.address.port, self.archive.height, self.archive.tip

    def offered(self, address: Address) -> None:
        """Dial a peer that is said to have an archive."""
        if is_ip_literal(address.host):
            self._dial(address, persistent=False)

    def remember(self, hosts: Iterable[str]) -> None:
        """Try peers of an earlier run once, by their IP addresses."""
        for host in hosts:
            self.offered(Address(host, self._settings.port))

    # The neighbours report (NeighboursListener)

    @property
    def archive(self) -> Archive:
        return self._replica.archive

    def incoming(self, count: int) -> Incoming:
        return self._replica.incoming(count)

    def received(self, host: str, incoming: Incoming) -> None:
        rival = self._replica.rival
        change = self._replica.received(incoming) if incoming.useful else None
        if change is not None:
            self._grown(change, host)
        elif self._replica.rival is not rival:
            self._mining.update()
        confirmed = self._replica.confirmed(host, incoming)
        if any(len(chat.confirmed_by) == 1 for chat in confirmed):
            self._keep_own()
        for chat in confirmed:
            self._reporter.chat_stands(chat)

    # The port and the miner report

    def _port_gained(self) -> None:
        self._early.pop(self._port.holder, None)
        self._neighbours.cancel(self._port.holder)
        self._reporter.listens(self._port)

    def _port_taken(self) -> None:
        if self._port.trouble:
            self._reporter.unreachable(self._port.trouble)
            return
        self._reporter.links_to(self._port.holder)
        self._dial(self._port.holder)

    def _mined(self, change: Change) -> None:
        self._grown(change, "mined")

    # Within

    def _grown(self, change: Change, source: str) -> None:
        """The archive is another one: tell everybody."""
        self._keeper.keep(change.archive)
        if change.moved:
            self._keep_own()
        self._neighbours.push()
        self._reporter.grown(change, source)
        self._mining.update()
        self._tell_of_waiting()

    def _tell_of_waiting(self) -> None:
        stuck = self.waiting > 0 and self._replica.job() is None
        self._reporter.waiting(self.waiting, stuck=stuck)

    def _when_saved(self, call: Callable[[], None]) -> None:
        self._keeper.when_saved(call)

    def _in_thread(self, function: Callable[..., T], *arguments: Any) -> "Deferred[T]":
        pool = self._reactor.getThreadPool()
        return deferToThreadPool(self._reactor, pool, function, *arguments)

    def _keep_own(self) -> None:
        self._keeper.keep_own(self._own.records())

    def _address(self, peer: str) -> Address:
        try:
            return parse_archive_peer(peer, self._settings.port, "not to be dialled")
        except ConfigError as error:
            raise RequestError(str(error)) from error

    def _dial(self, address: Address, *, persistent: bool = True) -> bool:
        if self._loaded:
            return self._neighbours.dial(address, persistent=persistent)
        if persistent or len(self._early) < self._settings.max_peers:
            self._early[address] = persistent or self._early.get(address, False)
        return True

    def _check_trouble(self) -> None:
        if self._trouble:
            raise RequestError(self._trouble)
