"""The port of the live chat: the configured one, or a free one."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP

from p2pchat.chat.factory import Admission, ChatServerFactory
from p2pchat.chat.protocol import ChatProtocol
from p2pchat.errors import StartError
from p2pchat.identity import Address
from p2pchat.sections import Peer

#: Connections that may wait to be accepted; with fewer a crowd has to try again a second later.
BACKLOG = 1024


class ListeningPort:
    """Listens where `settings` say, and has `build` make a link of each connection admitted.

    `address` is where that is; until the port is open, where it was asked for.
    """

    def __init__(
        self,
        tcp: IReactorTCP,
        settings: Peer,
        admission: Admission,
        build: Callable[[Address], ChatProtocol],
    ) -> None:
        self.address = Address(settings.bind, settings.port)
        self._tcp = tcp
        self._factory = ChatServerFactory(admission, build)
        self._port: IListeningPort | None = None

    def open(self, *, any_port: bool) -> None:
        """Open the port, or, with any_port, a free one if that is taken.

        Raises StartError if no port can be had.
        """
        bind, port = self.address
        try:
            self._port = self._tcp.listenTCP(port, self._factory, BACKLOG, bind)
        except CannotListenError as error:
            if not any_port:
                raise StartError(
                    f"cannot listen on {Address(bind or '0.0.0.0', port)}: "
                    f"{error.socketError}; choose another --port, or leave it out for a free one"
                ) from error
            self._port = self._open_any(bind)
        host: Any = self._port.getHost()
        self.address = Address(host.host, host.port)

    async def close(self) -> None:
        """Listen no more."""
        if self._port is not None:
            closing: Any = self._port.stopListening()
            if isinstance(closing, Deferred):
                await closing
            self._port = None

    def _open_any(self, bind: str) -> IListeningPort:
        try:
            return self._tcp.listenTCP(0, self._factory, BACKLOG, bind)
        except CannotListenError as error:
            raise StartError(f"cannot listen on {bind or 'any address'}: {error}") from error
