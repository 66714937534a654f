"""All the rendezvous servers that a node uses."""

from random import Random
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from p2pchat.api import RendezvousInfo
from p2pchat.config import Config, rendezvous_servers
from p2pchat.identity import Address, PeerId, name_of
from p2pchat.rendezvous.asking import when_asked
from p2pchat.rendezvous.directory import Directory, DirectoryListener
from p2pchat.rendezvous.service import RendezvousService


class RendezvousServices:
    """One service for each server that is configured; what they say is joined for `listener`."""

    def __init__(
        self, reactor: Any, rng: Random, me: PeerId, config: Config, listener: DirectoryListener
    ) -> None:
        self._reactor = reactor
        self._rng = rng
        self._me = me
        self._config = config
        limit = config.limits.max_known_peers
        self._directory = Directory(reactor.seconds, rng, me, limit, listener)
        self._services: list[RendezvousService] = []

    def start(self, port: int) -> None:
        """Register us, as listening for peers on this port, and begin to ask."""
        for server in rendezvous_servers(self._config.rendezvous):
            service = self._make_service(server, port)
            self._services.append(service)
            service.startService()

    def stop(self) -> "list[Deferred[object]]":
        """Take back our registrations; each fires when that is over with one server."""
        return [maybeDeferred(service.stopService) for service in self._services]

    def infos(self) -> list[RendezvousInfo]:
        """Tell how it goes with each server."""
        return [service.info() for service in self._services]

    def discover(self) -> "Deferred[None]":
        """Ask all servers now; the slow ones are waited for a little."""
        return when_asked(self._reactor, [service.discover() for service in self._services])

    def ask_again(self) -> None:
        """Ask soon: a peer is not where it was."""
        for service in self._services:
            service.peer_lost()

    def _make_service(self, server: Address, port: int) -> RendezvousService:
        return RendezvousService(
            self._reactor,
            self._rng,
            server=server,
            name=name_of(self._me),
            namespace=self._config.peer.namespace,
            port=port,
            discovery_interval=self._config.connection.discovery_interval,
            embedded=self._config.rendezvous.embedded,
            bind=self._config.peer.bind,
            listener=self._directory.source(),
        )
