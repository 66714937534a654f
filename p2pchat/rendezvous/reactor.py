"""What the rendezvous needs of a reactor, as one type."""

from twisted.internet.interfaces import IReactorTCP, IReactorTime


class NetworkReactor(IReactorTCP, IReactorTime):
    """A reactor with timers and TCP: the process's own, or a simulated one.

    A name for type checkers only; nobody has to declare that they provide it.
    """
