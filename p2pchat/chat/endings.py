"""How a link that the other side ended is to be understood (docs/protocols.md, 2.4 and 2.9)."""

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from p2pchat.chat.link import DUPLICATE, Closed, Ending
from p2pchat.chat.messages import Bye
from p2pchat.chat.session import Role, State
from p2pchat.text import visible


def ending_by_bye(bye: Bye, role: Role, established: bool) -> Closed:
    """Understand a BYE."""
    reason = visible(bye.reason, 200)
    if role is Role.DIALLER and not established:
        return Closed(Ending.REFUSED, reason)
    if bye.reason == DUPLICATE:
        return Closed(Ending.DUPLICATE, reason)
    return Closed(Ending.PEER_LEFT, reason)


def ending_by_transport(reason: Failure, role: Role, state: State, *, spoke: bool) -> Closed:
    """Understand a close that no BYE announced; some mean that we are connected already (2.4).

    `spoke`: the other side said something behind its HELLO_OK.
    """
    clean = reason.check(ConnectionDone) is not None
    if role is Role.DIALLER:
        if clean and state is State.AWAIT_HELLO_OK:
            return Closed(Ending.REFUSED, "closed instead of HELLO_OK")
        # our PING may have met a closed socket, and then this end is not clean
        if not spoke and state is State.TALKING:
            return Closed(Ending.REFUSED, "closed behind HELLO_OK")
    return Closed(Ending.LOST, "closed without BYE" if clean else reason.getErrorMessage())
