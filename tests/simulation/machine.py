"""A simulated machine: its addresses, ports and sockets, below the one process that runs on it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from tests.simulation.connection import State, StreamSocket
from tests.simulation.sockets import Address, ListeningSocket, Socket

if TYPE_CHECKING:
    from tests.simulation.network import Network
    from tests.simulation.reactor import HostReactor

#: Not at all, or who dials in gets no answer, or RST; dialling out goes on as before.
Shelter = Literal["", "silent", "refusing"]

FIRST_EPHEMERAL_PORT = 49152
LAST_PORT = 65535


class Machine:
    """What outlives a crash of the process: the address, and port numbers that are not reused.

    A machine on which no process ever ran does not answer at all. One whose process is gone is
    still there: it answers with RST.
    """

    def __init__(self, network: "Network", ip: str) -> None:
        self.network = network
        self.ip = ip
        self.process: HostReactor | None = None
        self.booted = False
        #: How a router in front answers who dials us, while it lets nobody in.
        self.sheltered: Shelter = ""
        #: Called with each end that hands something to the network, ours or the other, and what.
        self.overhears: Callable[[StreamSocket, bytes], None] | None = None
        self.sockets: dict[int, Socket] = {}
        self.listeners: dict[Address, ListeningSocket] = {}
        self._descriptors = 2
        self._latest_port = FIRST_EPHEMERAL_PORT - 1

    def open(self, new: Socket) -> int:
        """Put a socket in the table and return its descriptor."""
        self._descriptors += 1
        self.sockets[self._descriptors] = new
        return self._descriptors

    def forget(self, old: Socket) -> None:
        """Take a closed socket out of all tables."""
        self.sockets.pop(old.fileno(), None)
        if self.listeners.get(old.getsockname()) is old:
            del self.listeners[old.getsockname()]

    def wake(self, changed: Socket) -> None:
        """Tell the process that a socket may have become readable or writable."""
        if self.process is not None:
            self.process.notice(changed.fileno())

    def has_address(self, ip: str) -> bool:
        """Whether that address is this machine's own."""
        return ip == self.ip or is_loopback(ip)

    def address_toward(self, ip: str) -> str:
        """The own address from which a connection to that one is made."""
        return "127.0.0.1" if is_loopback(ip) else self.ip

    def free_port(self) -> int:
        """Return the next port that no socket uses."""
        used = {one.local[1] for one in self.sockets.values() if one.local is not None}
        while True:
            self._latest_port += 1
            if self._latest_port > LAST_PORT:
                self._latest_port = FIRST_EPHEMERAL_PORT
            if self._latest_port not in used:
                return self._latest_port

    def is_listening(self, ip: str, port: int) -> bool:
        """Whether a listening socket stands in the way of another one."""
        if ip == "0.0.0.0":
            return any(taken == port for _, taken in self.listeners)
        return (ip, port) in self.listeners or ("0.0.0.0", port) in self.listeners

    def listener_at(self, address: Address) -> ListeningSocket | None:
        """Find the socket that accepts connections to an address."""
        return self.listeners.get(address) or self.listeners.get(("0.0.0.0", address[1]))

    def connections(self) -> list[StreamSocket]:
        """The sockets here that are connected, oldest first."""
        streams = [one for one in self.sockets.values() if isinstance(one, StreamSocket)]
        return [one for one in streams if one.state is State.CONNECTED]

    def vanish(self) -> None:
        """Lose the process and all sockets at once, without a word to anyone."""
        self.process = None
        for one in list(self.sockets.values()):
            one.vanish()

    def end_process(self) -> None:
        """Let the process end: the kernel closes what it left open."""
        self.process = None
        for listening in list(self.listeners.values()):
            listening.close()
        for one in list(self.sockets.values()):
            if not isinstance(one, StreamSocket) or one.state is not State.ACCEPTING:
                one.close()


def is_loopback(ip: str) -> bool:
    """Whether the address means the machine itself; 0.0.0.0 does, to whoever connects to it."""
    return ip.startswith("127.") or ip == "0.0.0.0"
