"""Rendezvous servers to test a client with: one that answers by a script, and bad ones."""

import json

from twisted.internet.protocol import Protocol, ServerFactory


class ScriptedServer(ServerFactory):
    """Notes every request and answers with the next line of its script, the last one for ever.

    A line may be a dict, bytes that are sent as they are, a function of the request, or one of the
    verbs below. `reads` and `hangs_up` are what a well-behaved server does.
    """

    noisy = False

    #: Keep the connection and say nothing; close it; reset it.
    SILENCE, CLOSE, RESET = "silence", "close", "reset"

    def __init__(self, clock, *script):
        self.clock = clock
        self.script = list(script)
        self.requests = []
        self.times = []
        self.open = set()
        self.reads = True
        self.hangs_up = True

    def buildProtocol(self, addr):
        return _Scripted(self)

    def asked(self):
        """Tell what was asked for since the last time."""
        kinds = [request["type"] for request in self.requests]
        self.requests.clear()
        return kinds

    def next_answer(self, request):
        self.requests.append(request)
        self.times.append(self.clock.seconds())
        answer = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        return answer(request) if callable(answer) else answer


class _Scripted(Protocol):
    def __init__(self, server):
        self._server = server

    def connectionMade(self):
        self._server.open.add(self)
        self.transport.reading = self._server.reads

    def connectionLost(self, reason):
        self._server.open.discard(self)

    def dataReceived(self, data):
        answer = self._server.next_answer(json.loads(data))
        if isinstance(answer, dict):
            answer = json.dumps(answer).encode() + b"\n"
        if isinstance(answer, bytes):
            self.transport.write(answer)
            if self._server.hangs_up:
                self.transport.loseConnection()
        elif answer == ScriptedServer.CLOSE:
            self.transport.loseConnection()
        elif answer == ScriptedServer.RESET:
            self.transport.abortConnection()


def entry(name, port=4000, ip="10.0.0.9", namespace="CIC", ttl=600, expires_in=500):
    """Write one entry of a listing."""
    return {
        "ip": ip,
        "port": port,
        "name": name,
        "namespace": namespace,
        "ttl": ttl,
        "expires_in": expires_in,
    }


def listing(*entries):
    return {"status": "OK", "peers": list(entries)}


def granted(ttl=600, ip="10.0.0.2"):
    return {"status": "OK", "ttl": ttl, "ip": ip, "port": 4000}


def error(message):
    return {"status": "ERROR", "message": message}
