"""The life of a link in the log: up, measured, down, or nothing at all."""

from twisted.logger import Logger

from p2pchat.chat.link import Closed, Link
from p2pchat.chat.session import Role
from p2pchat.identity import PeerId
from p2pchat.text import visible


def log_up(log: Logger, peer: PeerId, link: Link) -> None:
    """Log that a link to a peer is up."""
    accepted = link.role is Role.LISTENER
    log.info(
        "[{server}] {words} connected: {peer} ({address}, {agent})",
        server="PeerServer" if accepted else "PeerClient",
        words="Inbound" if accepted else "Outbound",
        peer=visible(peer),
        address=link.address,
        agent=link.agent or "legacy",
    )


def log_measured(log: Logger, peer: PeerId, seconds: float) -> None:
    """Log a round trip."""
    log.info(
        "[KeepAlive] PONG from {peer}, RTT: {rtt:.1f} ms", peer=visible(peer), rtt=seconds * 1000
    )


def log_down(log: Logger, peer: PeerId, link: Link, closed: Closed) -> None:
    """Log that a link that was up is gone."""
    log.info(
        "[Link] {peer} ({direction}) closed: {why}: {reason}",
        peer=visible(peer),
        direction=link.role.value,
        why=closed.ending.value,
        reason=closed.reason,
    )


def log_fruitless(log: Logger, link: Link, closed: Closed) -> None:
    """Log a connection that never came to anything; those we made are worth a look."""
    if link.established_at is not None:
        return
    emit = log.info if link.role is Role.DIALLER else log.debug
    emit(
        "[Link] {address} ({direction}) closed in the handshake: {why}: {reason}",
        address=link.address,
        direction=link.role.value,
        why=closed.ending.value,
        reason=closed.reason,
    )
