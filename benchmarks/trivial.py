"""The baseline of starting: a service that listens, and prints `{"port": ...}` when it does.

Run by twistd, as a node is: `twistd -n --python benchmarks/trivial.py`.
"""

import os
import sys

from twisted.application.service import Application, Service
from twisted.internet.protocol import Factory, Protocol


class Trivial(Service):
    """Listens on a free port of 127.0.0.1."""

    def startService(self) -> None:
        from twisted.internet import reactor  # twistd has chosen it by now

        Service.startService(self)
        port = reactor.listenTCP(0, Factory.forProtocol(Protocol), interface="127.0.0.1")
        # twistd has made a log of sys.stdout
        os.write(sys.__stdout__.fileno(), b'{"port": %d}\n' % port.getHost().port)


application = Application("trivial")
Trivial().setServiceParent(application)
