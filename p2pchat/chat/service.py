"""The chat wing as a service: listens, dials, keeps links to peers and carries messages.

Its owner tells it what discovery found, and hears of it by events.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from random import Random
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime
from twisted.logger import Logger

from p2pchat.api import LinkInfo, PeerInfo
from p2pchat.chat.closing import LEAVE_TIMEOUT
from p2pchat.chat.contacts import Contacts
from p2pchat.chat.factory import Admission, ChatServerFactory
from p2pchat.chat.link import Closed, Ending, Link, Talk
from p2pchat.chat.link_log import log_down, log_fruitless, log_measured, log_up
from p2pchat.chat.messages import ArchiveOffer, Send
from p2pchat.chat.namesake import NamesakeWatch
from p2pchat.chat.outbox import Outbox
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.router import Router
from p2pchat.chat.session import Role, offer_nothing
from p2pchat.chat.settings import make_link_settings
from p2pchat.chat.snapshots import link_infos, peer_infos
from p2pchat.chat.switchboard import Switchboard
from p2pchat.chat.wire import HANG_UP_TIMEOUT
from p2pchat.config import Config
from p2pchat.errors import StartError
from p2pchat.events import Level, Listener, Notice, PeerDown, PeerUp
from p2pchat.history import History, KnownPeer, Opened
from p2pchat.identity import Address, PeerId

#: Connections that may wait to be accepted; with fewer a crowd has to try again a second later.
BACKLOG = 1024


def _ignore_offer(host: str, offer: ArchiveOffer) -> None:
    """Stand in for an archive that nobody keeps."""


def _ignore_move() -> None:
    """Stand in for a rendezvous that nobody asks."""


class ChatService(MultiService):
    """All links of a node, and what goes over them.

    `offer` is asked at each handshake what we tell a peer of our archive. `offered` is told, once
    for each link that is up, the IP address of a peer and what it said of its own. `moved` is told
    when a peer cannot be dialled: whoever knows where peers are should be asked again.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        rng: Random,
        wall_clock: Callable[[], datetime],
        me: PeerId,
        config: Config,
        history: History,
        report: Listener,
        *,
        offer: Callable[[], ArchiveOffer | None] = offer_nothing,
        offered: Callable[[str, ArchiveOffer], None] = _ignore_offer,
        moved: Callable[[], None] = _ignore_move,
    ) -> None:
        MultiService.__init__(self)
        self.me = me
        self.local = Address(config.peer.bind, config.peer.port)
        self._tcp: IReactorTCP = reactor
        self._clock: IReactorTime = reactor
        self._rng = rng
        self._wall_clock = wall_clock
        self._config = config
        self._report = report
        self._offered = offered
        self._port: IListeningPort | None = None
        self._leaving = False
        self._live: dict[ChatProtocol, None] = {}
        self._all_closed: Deferred[None] | None = None
        limits, connection = config.limits, config.connection
        self._settings = make_link_settings(me, config, rng, wall_clock, offer)
        self._admission = Admission(
            limits.max_links, limits.max_links_per_ip, limits.max_handshakes_per_ip
        )
        self._peers = PeerTable(limits.max_known_peers)
        self._switchboard = Switchboard(reactor, me, self._peers, self)
        outbox = Outbox(
            connection.ack_timeout,
            timedelta(days=config.outbox.max_days),
            config.outbox.legacy_retries,
        )
        self._router = Router(
            *(reactor, rng, wall_clock, me, self._peers, outbox, history),
            report=report,
            notice=self._notice,
        )
        self._history = history
        #: Peers of earlier runs, and those we wrote to.
        self._remembered: dict[PeerId, None] = {}
        self._contacts = Contacts(
            *(reactor, rng, me, config, self._peers),
            build=partial(self._build, Role.DIALLER),
            is_dialling_us=self._admission.is_dialling,
            moved=moved,
        )
        self._contacts.dialer.setServiceParent(self)
        self._namesakes = NamesakeWatch(reactor, me, self.is_connected, self._warn)

    # Starting and stopping

    def listen(self, *, any_port: bool) -> None:
        """Open the configured port, or, with any_port, a free one if that is taken.

        Raises StartError if no port can be had.
        """
        factory = ChatServerFactory(self._admission, self._build_accepted)
        bind, port = self._config.peer.bind, self._config.peer.port
        try:
            self._port = self._tcp.listenTCP(port, factory, BACKLOG, bind)
        except CannotListenError as error:
            if not any_port:
                raise StartError(
                    f"cannot listen on {Address(bind or '0.0.0.0', port)}: "
                    f"{error.socketError}; choose another --port, or leave it out for a free one"
                ) from error
            self._port = self._listen_anywhere(factory, bind)
        host: Any = self._port.getHost()
        self.local = Address(host.host, host.port)

    def _listen_anywhere(self, factory: ChatServerFactory, bind: str) -> IListeningPort:
        try:
            return self._tcp.listenTCP(0, factory, BACKLOG, bind)
        except CannotListenError as error:
            raise StartError(f"cannot listen on {bind or 'any address'}: {error}") from error

    async def leave(self) -> None:
        """Stop dialling and listening, say BYE on every link and wait until all are closed.

        Bounded: what a link said is stored and acknowledged for a second at the most, and if it
        does not close by itself it is aborted two seconds after that.
        """
        self._leaving = True
        self._router.leave()
        self._contacts.stop()
        self._switchboard.stop()
        self._namesakes.stop()
        if self._port is not None:
            await _as_deferred(self._port.stopListening())
            self._port = None
        for link in list(self._live):
            link.leave(Ending.WE_LEFT, "leaving")
        if self._live:
            self._all_closed = Deferred()
            guard = self._clock.callLater(2 * (LEAVE_TIMEOUT + HANG_UP_TIMEOUT), self._stop_waiting)
            await self._all_closed
            if guard.active():
                guard.cancel()
        self._router.stop()

    def _stop_waiting(self) -> None:
        if self._all_closed is not None:
            waiting, self._all_closed = self._all_closed, None
            waiting.callback(None)

    # What the node asks

    def discovered(self, found: Iterable[tuple[PeerId, Address]]) -> None:
        """Note the peers that a discovery shows, and dial those without a link, within limits."""
        self._contacts.discovered(found)

    def set_public_ips(self, ips: Iterable[str]) -> None:
        """Note the addresses under which others see this machine."""
        self._contacts.set_public_ips(ips)

    def reconnect(self) -> int:
        """Dial every known peer that has no link; return how many."""
        return self._contacts.reconnect()

    def find(self, peer_id: PeerId) -> Peer | None:
        return self._peers.get(peer_id)

    def known_ids(self) -> list[PeerId]:
        return list({**self._remembered, **{peer.peer_id: None for peer in self._peers}})

    def is_connected(self, peer_id: PeerId) -> bool:
        """Tell whether there is a live link to a peer."""
        peer = self._peers.get(peer_id)
        return peer is not None and peer.connected

    def resume(self, opened: Opened) -> None:
        """Take up what an earlier run left in the outbox, now that the history is open.

        What was said to us and what was to be sent before goes on from here; until now it waited.
        """
        if self._leaving:
            return
        for entry in opened.outbox:
            self._remember(entry.to)
        self._router.resume(opened.outbox)
        for peer in self._peers.connected():
            self._note_contact(peer)

    def not_opened(self, trouble: str) -> None:
        """Take note that the history could not be opened; that is tried again."""
        self._router.not_opened(trouble)

    def remember(self, known: Iterable[KnownPeer]) -> None:
        """Note the peers that an earlier run knew; of some it knew no more than the name."""
        for peer in known:
            self._remember(peer.peer_id)
            if peer.addresses:
                self._contacts.remembered(peer.peer_id, peer.addresses)

    async def send(self, peer_id: PeerId, text: str) -> str:
        """Store a message to a peer, who need not be there; RequestError if it can't be taken."""
        msg_id = await self._router.sending.send(peer_id, text)
        self._remember(peer_id)
        return msg_id

    async def cancel(self, message: int | str) -> bool:
        """Withdraw a message that is not delivered yet; False if there is none."""
        return await self._router.sending.cancel(message)

    def publish(self, target: str, text: str) -> tuple[str, int]:
        """Publish to `*` or `#namespace`."""
        namespace = None if target == "*" else target.removeprefix("#")
        return self._router.sending.publish(target, self._peers.connected(namespace), text)

    def peer_infos(self) -> list[PeerInfo]:
        """Every peer known, connected ones first, then by id."""
        return peer_infos(self._peers, self._contacts.is_dialling, self._clock.seconds())

    def link_infos(self) -> list[LinkInfo]:
        """Every live link."""
        return link_infos(self._peers, self._clock.seconds())

    @property
    def dialling(self) -> bool:
        """Tell whether attempts at some peer go on."""
        return self._contacts.dialer.busy

    @property
    def pending(self) -> int:
        """Count the messages that are not delivered yet."""
        return self._router.sending.pending

    @property
    def on_the_way(self) -> int:
        """Count what may arrive soon: a link has taken it, or its peer is there or dialled."""
        sending = self._router.sending
        near = (p for p in sending.waiting_for if self.is_connected(p) or self._is_dialled(p))
        return sending.on_the_way + sum(1 for _ in near)

    @property
    def handshakes(self) -> int:
        """Count the accepted connections that have not said who they are."""
        return self._admission.silent

    # Links report (LinkOwner)

    def identified(self, link: Link) -> None:
        assert isinstance(link, ChatProtocol)
        self._admission.spoke(link)
        self._switchboard.judge(link)

    def established(self, link: Link) -> None:
        assert link.peer is not None
        self._contacts.dialer.established(link.peer)
        self._switchboard.judge(link)

    def received(self, link: Link, messages: Sequence[Talk]) -> None:
        peer = self._peers.get(link.peer) if link.peer is not None else None
        if peer is not None:
            self._router.received(peer, link, messages)

    def measured(self, link: Link, seconds: float) -> None:
        peer = self._peers.get(link.peer) if link.peer is not None else None
        if peer is None:
            return
        peer.rtt.add(seconds)
        log_measured(self.log, peer.peer_id, seconds)
        self._switchboard.answered(link)

    def written(self, link: Link, message: Send) -> None:
        self._router.sending.written(message)

    def closed(self, link: Link, closed: Closed) -> None:
        assert isinstance(link, ChatProtocol)
        self._admission.left(link)
        self._live.pop(link, None)
        log_fruitless(self.log, link, closed)
        self._switchboard.closed(link, closed)
        self._note_absence(link.peer or link.expected, closed)
        if link.expected is not None and not self._leaving:
            self._namesakes.dialled(link.expected, closed)
        if not self._live:
            self._stop_waiting()

    # The switchboard reports (SwitchboardListener)

    def link_up(self, peer: Peer, link: Link) -> None:
        peer.stale = peer.left = False
        peer.modern = link.modern
        self._contacts.dialer.cancel(peer.peer_id)
        log_up(self.log, peer.peer_id, link)
        if not peer.up:
            peer.up = True
            self._report_up(peer, link)
        self._note_contact(peer)
        self._router.sending.link_up(peer)
        if link.archive is not None:
            self._offered(link.address.host, link.archive)

    def link_down(self, peer: Peer, link: Link, closed: Closed) -> None:
        peer.left = closed.ending is Ending.PEER_LEFT
        peer.last_seen = self._clock.seconds()
        log_down(self.log, peer.peer_id, link, closed)
        self._router.link_down(peer, link)

    # Within

    def _remember(self, peer_id: PeerId) -> None:
        """Know a peer by its name; whoever was remembered first makes room."""
        if peer_id == self.me:
            return
        self._remembered.pop(peer_id, None)
        self._remembered[peer_id] = None
        if len(self._remembered) > self._config.limits.max_known_peers:
            del self._remembered[next(iter(self._remembered))]

    def _note_absence(self, peer_id: PeerId | None, closed: Closed) -> None:
        """Report a peer whose last link is gone, unless the one that stays is nearly up (2.8)."""
        peer = self._peers.get(peer_id) if peer_id is not None else None
        if peer is None or peer.links or not peer.up or self._leaving:
            return
        if closed.ending is Ending.DUPLICATE and self._is_meeting(peer):
            return
        peer.up = False
        self._report(PeerDown(time=self._wall_clock(), peer_id=peer.peer_id, reason=_words(closed)))
        self._contacts.lost(peer, closed)

    def _is_meeting(self, peer: Peer) -> bool:
        """Tell whether a link that we dialled to this peer is in its handshake."""
        return any(
            link.expected == peer.peer_id and link.established_at is None for link in self._live
        )

    def _build_accepted(self, address: Address) -> ChatProtocol:
        return self._build(Role.LISTENER, None, address)

    def _build(self, role: Role, expected: PeerId | None, address: Address) -> ChatProtocol:
        link = ChatProtocol(self._clock, self._settings, self, role, address, expected)
        self._live[link] = None
        return link

    def _warn(self, text: str) -> None:
        self._notice("warning", text)

    def _notice(self, level: Level, text: str) -> None:
        self.log.warn("[Node] {text}", text=text)
        self._report(Notice(time=self._wall_clock(), level=level, text=text))

    def _is_dialled(self, peer_id: PeerId) -> bool:
        return self._contacts.is_dialling(peer_id)

    def _note_contact(self, peer: Peer) -> None:
        seen = self._history.peer_seen(peer.peer_id, peer.addresses, self._wall_clock())
        seen.addErrback(lambda failure: self.log.debug("[Store] {error}", error=failure.value))

    def _report_up(self, peer: Peer, link: Link) -> None:
        self._report(
            PeerUp(
                time=self._wall_clock(),
                peer_id=peer.peer_id,
                direction=link.role.value,
                address=str(link.address),
                modern=link.modern,
            )
        )


def _words(closed: Closed) -> str:
    return f"{closed.ending.value} ({closed.reason})" if closed.reason else closed.ending.value


def _as_deferred(result: Any) -> "Deferred[Any]":
    return result if isinstance(result, Deferred) else succeed(result)
