"""How asking a rendezvous server can fail.

The text of each completes "the server is ...", so it can be shown as the server's state.
"""

from p2pchat.errors import P2PChatError, RemoteProtocolError


class RendezvousError(P2PChatError):
    """Base of all that can go wrong with a rendezvous server."""


class ServerDownError(RendezvousError):
    """No connection to the server came about."""

    def __init__(self, why: str) -> None:
        super().__init__(f"down ({why})")


class ServerSilentError(RendezvousError):
    """The server took the connection and did not say a word in time."""

    def __init__(self) -> None:
        super().__init__("silent")


class ServerSlowError(RendezvousError):
    """The server began to answer and did not finish in time."""

    def __init__(self) -> None:
        super().__init__("slow")


class NonsenseError(RendezvousError, RemoteProtocolError):
    """What the server sent is no answer."""

    def __init__(self, why: str) -> None:
        super().__init__(f"talking nonsense ({why})")


class BlockedError(RendezvousError):
    """The server had too many connections from our address; it wants to be left alone a while."""

    def __init__(self) -> None:
        super().__init__("blocking us (too many requests from our address)")


class RefusedError(RendezvousError):
    """The server answered ERROR; `message` is what it said, made harmless."""

    def __init__(self, message: str) -> None:
        super().__init__(f"refusing us ({message})")
        self.message = message


class NotRegisteredError(RefusedError):
    """The server does not know us, or not any more."""


class BudgetSpentError(RendezvousError):
    """We asked often enough for now; may be asked again after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__("left alone for a moment")
        self.wait = wait
