"""What a node asks of its process: a reactor, files, and turns at the interpreter."""

import contextlib
import gc
import resource
import sys
import time

#: How long a thread may keep the interpreter from the reactor, in seconds. Mining and verifying run
#: in threads that never let go by themselves; by Python's default, 5 ms, every event would wait.
SWITCH_INTERVAL = 0.0005

#: Every so many collections of what is not quite new all is looked through; Python's default is 10.
RARELY = 100


def install_fast_reactor() -> None:
    """Choose what serves most connections a second, if no reactor is chosen.

    On Linux that is epoll, with half as many again as asyncio's loop.
    """
    if "twisted.internet.reactor" in sys.modules:
        return
    try:
        from twisted.internet.epollreactor import EPollReactor
    except ImportError:
        install_reactor()
        return
    from twisted.internet.main import installReactor

    class MonotonicEPollReactor(EPollReactor):
        """Its timers go on when somebody sets the clock."""

        seconds = staticmethod(time.monotonic)

    installReactor(MonotonicEPollReactor())


def install_reactor() -> None:
    """Choose asyncio's event loop, which other libraries can share, if no reactor is chosen."""
    if "twisted.internet.reactor" in sys.modules:
        return
    from twisted.internet.asyncioreactor import AsyncioSelectorReactor
    from twisted.internet.main import installReactor

    class MonotonicReactor(AsyncioSelectorReactor):
        """Its timers go on when somebody sets the clock."""

        seconds = staticmethod(time.monotonic)

    installReactor(MonotonicReactor())


def allow_open_files() -> None:
    """Raise the limit of open files as far as we may: each link is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def share_interpreter() -> None:
    """Let the reactor have the interpreter back from a thread soon."""
    sys.setswitchinterval(SWITCH_INTERVAL)


def spare_collections() -> None:
    """Keep the garbage collector from what is there for as long as the process lives.

    A collection of everything takes tens of milliseconds, in which nothing else happens. Modules
    and classes are most of it, and no garbage.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, RARELY)
