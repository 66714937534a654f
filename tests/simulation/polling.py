"""Which sockets are ready, and what Twisted's descriptors do about it."""

from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

# ruff: noqa: N802 - camelCase marks an override of a Twisted name

_log = Logger()


@implementer(IReactorFDSet)
class Polling:
    """The reactor's readers and writers, served as under a level-triggered epoll.

    Needs wakeUp(), which has serve_ready() called in a later turn.
    """

    def __init__(self, machine: "Machine") -> None:
        self.machine = machine
        self._readers: dict[int, Any] = {}
        self._writers: dict[int, Any] = {}
        self._ready: dict[int, None] = {}  # a dict keeps their order
        super().__init__()

    def wakeUp(self) -> None:
        """Take a turn soon."""
        raise NotImplementedError

    def addReader(self, reader: Any) -> None:
        """Call reader.doRead() whenever its socket is readable."""
        self._readers[reader.fileno()] = reader
        self.notice(reader.fileno())

    def addWriter(self, writer: Any) -> None:
        """Call writer.doWrite() whenever its socket is writable."""
        self._writers[writer.fileno()] = writer
        self.notice(writer.fileno())

    def removeReader(self, reader: Any) -> None:
        """Read no more."""
        if self._readers.get(reader.fileno()) is reader:
            del self._readers[reader.fileno()]

    def removeWriter(self, writer: Any) -> None:
        """Write no more."""
        if self._writers.get(writer.fileno()) is writer:
            del self._writers[writer.fileno()]

    def removeAll(self) -> list[Any]:
        """Remove and return all readers and writers."""
        selectables = list(dict.fromkeys([*self._readers.values(), *self._writers.values()]))
        self._readers.clear()
        self._writers.clear()
        return selectables

    def getReaders(self) -> list[Any]:
        """Whoever reads."""
        return list(self._readers.values())

    def getWriters(self) -> list[Any]:
        """Whoever writes."""
        return list(self._writers.values())

    def notice(self, descriptor: int) -> None:
        """Serve a descriptor in the next turn, if somebody waits for what it can do now."""
        if descriptor in self._ready:
            return
        if self._readable(descriptor) or self._writable(descriptor):
            self._ready[descriptor] = None
            self.wakeUp()

    def serve_ready(self) -> None:
        """Let everyone whose socket is ready read or write once."""
        ready, self._ready = self._ready, {}
        for descriptor in ready:
            try:
                self._serve(descriptor)
            except Exception:  # noqa: BLE001 - raised by connectionLost: logged, as in Twisted
                _log.failure("in connectionLost")
            self.notice(descriptor)

    def _readable(self, descriptor: int) -> bool:
        if descriptor not in self._readers:
            return False
        one = self.machine.sockets.get(descriptor)
        return one is not None and one.readable()

    def _writable(self, descriptor: int) -> bool:
        if descriptor not in self._writers:
            return False
        one = self.machine.sockets.get(descriptor)
        return one is not None and one.writable()

    def _serve(self, descriptor: int) -> None:
        """Let a selectable read, then write; if either says or raises why, it is disconnected."""
        selectable, reading, why = None, False, None
        try:
            if self._readable(descriptor):
                selectable, reading = self._readers[descriptor], True
                why = selectable.doRead()
            if why is None and self._writable(descriptor):
                selectable, reading = self._writers[descriptor], False
                why = selectable.doWrite()
        except Exception as error:  # noqa: BLE001 - it costs the connection, as in Twisted
            _log.failure("in a callback of a transport")
            why = error
        if why is not None:
            self._disconnect(selectable, why, reading)

    def _disconnect(self, selectable: Any, why: Exception, reading: bool) -> None:
        self.removeReader(selectable)
        if reading and type(why) is ConnectionDone and IHalfCloseableDescriptor(selectable, None):
            selectable.readConnectionLost(Failure(ConnectionDone()))
            return
        self.removeWriter(selectable)
        if type(why) in (ConnectionDone, ConnectionLost):
            why = type(why)()  # without the wording of twisted.internet.main
        selectable.connectionLost(Failure(why))
