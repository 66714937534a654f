"""What one answer costs here while it is handed over: it may have megabytes."""

import tracemalloc

from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address
from p2pchat.rendezvous.exchange import exchange

SIZE = 4 * 1024 * 1024


class LongAnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        reactor = MemoryReactorClock()
        self.answering = exchange(reactor, Address("10.0.0.1", 8080), None, b"?\n")
        self.factory = reactor.tcpClients[0][2]
        self.protocol = self.factory.buildProtocol(None)
        self.protocol.makeConnection(StringTransport())
        self.protocol.dataReceived(b"x" * SIZE + b"\nand more")

    def end(self) -> None:
        closed = Failure(ConnectionDone())
        self.protocol.connectionLost(closed)
        self.factory.clientConnectionLost(None, closed)

    def test_it_is_there_once_more_while_it_is_handed_over(self) -> None:
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.end()
        _, peak = tracemalloc.get_traced_memory()
        self.assertLess(peak, SIZE * 3 // 2)
        self.assertEqual(self.successResultOf(self.answering), b"x" * SIZE)

    def test_afterwards_only_who_asked_has_it(self) -> None:
        self.end()
        self.assertEqual(len(self.protocol.received), 0)
