"""Asking a rendezvous server, and not too often (docs/protocols.md, section 1)."""

from collections.abc import Sequence
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from p2pchat.identity import Address
from p2pchat.rendezvous import answers
from p2pchat.rendezvous.answers import Answer, Granted
from p2pchat.rendezvous.errors import BudgetSpentError, ServerDownError
from p2pchat.rendezvous.exchange import exchange
from p2pchat.rendezvous.limits import SlidingWindow
from p2pchat.rendezvous.messages import Discover, Register, Request, Unregister, request_line
from p2pchat.rendezvous.reactor import NetworkReactor
from p2pchat.rendezvous.replies import Listed

#: Most requests in a minute. Servers take 50 from one address, which others may share with us.
MAX_REQUESTS = 20
REQUESTS_SPAN = 60.0

# What all clients behind one address may use up, and what each may use however many they are.
_SHARED_REQUESTS = 45
_MIN_REQUESTS = 5


class Listing(NamedTuple):
    """Who is registered; not `complete` if there were more than we read."""

    peers: Sequence[Listed]
    skipped: int
    complete: bool


class RendezvousClient:
    """Asks one server, at most 20 times in any 60 seconds.

    Every request returns a Deferred that fires when its connection is closed, or fails with a
    RendezvousError: a ServerDownError, ServerSilentError, ServerSlowError, NonsenseError,
    BlockedError, RefusedError or, if we asked too often, BudgetSpentError.
    """

    def __init__(self, reactor: NetworkReactor, server: Address, source: str | None = None) -> None:
        self._reactor = reactor
        self._server = server
        self._source = source
        self._window = SlidingWindow(MAX_REQUESTS, REQUESTS_SPAN)
        self._limit = MAX_REQUESTS

    def register(self, request: Register) -> Deferred[Granted]:
        """Be listed from now on."""
        return Deferred.fromCoroutine(self._register(request))

    def discover(self, namespace: str | None = None) -> Deferred[Listing]:
        """Learn who is registered, in a namespace or in all; NotRegisteredError if we are not."""
        return Deferred.fromCoroutine(self._discover(Discover(namespace)))

    def unregister(self, request: Unregister) -> Deferred[None]:
        """Be listed no longer; one request of the budget is always left for this."""
        return Deferred.fromCoroutine(self._unregister(request))

    def share(self, clients: int) -> None:
        """Tell how many clients, ourselves included, the server sees at our address."""
        fair = _SHARED_REQUESTS // max(clients, 1)
        self._limit = min(max(fair, _MIN_REQUESTS), MAX_REQUESTS)

    def start_afresh(self) -> None:
        """Forget what was asked: another server has taken the place of the one that counted."""
        self._window.clear()

    async def _register(self, request: Register) -> Granted:
        return answers.granted(await self._ask(request))

    async def _discover(self, request: Discover) -> Listing:
        answer = await self._ask(request)
        return Listing(answers.listed(answer), answer.skipped, answer.complete)

    async def _unregister(self, request: Unregister) -> None:
        answers.check(await self._ask(request, spare=0))

    async def _ask(self, request: Request, spare: int = 1) -> Answer:
        now = self._reactor.seconds()
        wait = self._window.wait(now, self._limit - spare)
        if wait > 0:
            raise BudgetSpentError(wait)
        self._window.add(now)
        try:
            line = await exchange(self._reactor, self._server, self._source, request_line(request))
        except ServerDownError:
            self._window.take_back()  # nobody has counted it
            raise
        return await self._read(line)

    async def _read(self, line: bytes) -> Answer:
        reading = answers.read_answer(line)
        while True:
            try:
                next(reading)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            await deferLater(self._reactor, 0)
