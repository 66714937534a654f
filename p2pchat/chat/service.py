"""The chat wing as a service: listens, dials, keeps links to peers and carries messages.

Its owner tells it what discovery found, and hears of it by events.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from p2pchat.api import LinkInfo, PeerInfo
from p2pchat.chat.acquaintances import Acquaintances
from p2pchat.chat.contacts import Contacts
from p2pchat.chat.link import Closed, Ending, Link, Talk
from p2pchat.chat.link_log import log_down, log_fruitless, log_measured, log_up
from p2pchat.chat.listener import ListeningPort
from p2pchat.chat.live import LiveLinks
from p2pchat.chat.messages import ArchiveOffer, Send
from p2pchat.chat.namesake import NamesakeWatch
from p2pchat.chat.peers import Peer, PeerTable
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.chat.reporter import Reporter
from p2pchat.chat.router import Router
from p2pchat.chat.session import Role, offer_nothing
from p2pchat.chat.settings import make_admission, make_link_settings, make_outbox
from p2pchat.chat.snapshots import link_infos, peer_infos
from p2pchat.chat.switchboard import Switchboard
from p2pchat.config import Config
from p2pchat.events import Listener
from p2pchat.history import History, KnownPeer, Opened
from p2pchat.identity import Address, PeerId


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
        self._clock: IReactorTime = reactor
        self._offered = offered
        self._leaving = False
        self._reporter = Reporter(wall_clock, report)
        self._settings = make_link_settings(me, config, rng, wall_clock, offer)
        self._admission = make_admission(config.limits)
        self._port = ListeningPort(reactor, config.peer, self._admission, self._build_accepted)
        self._live = LiveLinks(reactor)
        self._remembered = Acquaintances(me, config.limits.max_known_peers, history, wall_clock)
        self._peers = PeerTable(config.limits.max_known_peers)
        self._switchboard = Switchboard(reactor, me, self._peers, self)
        self._router = Router(
            *(reactor, rng, wall_clock, me, self._peers, make_outbox(config), history),
            *(report, self._reporter.notice),
        )
        self._contacts = Contacts(
            *(reactor, rng, me, config, self._peers),
            build=partial(self._build, Role.DIALLER),
            is_dialling_us=self._admission.is_dialling,
            moved=moved,
        )
        self._contacts.dialer.setServiceParent(self)
        self._namesakes = NamesakeWatch(reactor, me, self.is_connected, self._reporter.warn)

    # Starting and stopping

    def listen(self, *, any_port: bool) -> None:
        """Open the configured port, or, with any_port, a free one if that is taken.

        Raises StartError if no port can be had.
        """
        self._port.open(any_port=any_port)

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
        await self._port.close()
        await self._live.leave()
        self._router.stop()

    # What the node asks

    @property
    def local(self) -> Address:
        """Where we listen."""
        return self._port.address

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
        return list(dict.fromkeys([*self._remembered, *(peer.peer_id for peer in self._peers)]))

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
            self._remembered.remember(entry.to)
        self._router.resume(opened.outbox)
        for peer in self._peers.connected():
            self._remembered.met(peer)

    def not_opened(self, trouble: str) -> None:
        """Take note that the history could not be opened; that is tried again."""
        self._router.not_opened(trouble)

    def remember(self, known: Iterable[KnownPeer]) -> None:
        """Note the peers that an earlier run knew; of some it knew no more than the name."""
        for peer in known:
            self._remembered.remember(peer.peer_id)
            if peer.addresses:
                self._contacts.remembered(peer.peer_id, peer.addresses)

    async def send(self, peer_id: PeerId, text: str) -> str:
        """Store a message to a peer, who need not be there; RequestError if it can't be taken."""
        msg_id = await self._router.sending.send(peer_id, text)
        self._remembered.remember(peer_id)
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
        assert isinstance(link, ChatProtocol)
        self._contacts.dialer.established(link)
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
        self._live.discard(link)
        log_fruitless(self.log, link, closed)
        self._switchboard.closed(link, closed)
        self._note_absence(link.peer or link.expected, closed)
        if link.expected is not None and not self._leaving:
            self._namesakes.dialled(link.expected, closed)
        self._live.closed_one()

    # The switchboard reports (SwitchboardListener)

    def link_up(self, peer: Peer, link: Link) -> None:
        peer.stale = peer.left = False
        peer.modern = link.modern
        self._contacts.dialer.cancel(peer.peer_id)
        log_up(self.log, peer.peer_id, link)
        if not peer.up:
            peer.up = True
            self._reporter.peer_up(peer, link)
        self._remembered.met(peer)
        self._router.sending.link_up(peer)
        if link.archive is not None:
            self._offered(link.address.host, link.archive)

    def link_down(self, peer: Peer, link: Link, closed: Closed) -> None:
        peer.left = closed.ending is Ending.PEER_LEFT
        peer.last_seen = self._clock.seconds()
        log_down(self.log, peer.peer_id, link, closed)
        self._router.link_down(peer, link)

    # Within

    def _note_absence(self, peer_id: PeerId | None, closed: Closed) -> None:
        """Report a peer whose last link is gone, unless the one that stays is nearly up (2.8)."""
        peer = self._peers.get(peer_id) if peer_id is not None else None
        if peer is None or peer.links or not peer.up or self._leaving:
            return
        if closed.ending is Ending.DUPLICATE and self._live.is_meeting(peer.peer_id):
            return
        peer.up = False
        self._reporter.peer_down(peer, closed)
        self._contacts.lost(peer, closed)

    def _build_accepted(self, address: Address) -> ChatProtocol:
        return self._build(Role.LISTENER, None, address)

    def _build(self, role: Role, expected: PeerId | None, address: Address) -> ChatProtocol:
        link = ChatProtocol(self._clock, self._settings, self, role, address, expected)
        self._live.add(link)
        return link

    def _is_dialled(self, peer_id: PeerId) -> bool:
        return self._contacts.is_dialling(peer_id)
