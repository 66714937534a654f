"""A signal ends a node that is busy: politely, and soon."""

import signal
import socket
from threading import Thread

from tests.integration.cases import NetworkCase
from tests.integration.legacy import LegacyPeer
from tests.integration.programs import HERE, free_port
from tests.integration.raw import Notes, RawLink, connect, encoded
from tests.integration.servers import PlayedServer, obey

#: Longest time from the signal to the end of the process, in seconds.
LEAVING_TIME = 8.0


class LeavingTests(NetworkCase):
    def setUp(self) -> None:
        super().setUp()
        self.rendezvous = free_port()
        self.server = PlayedServer(self.rendezvous, obey)
        self.addCleanup(self.server.close)
        self.node = self.start_ready("alice", rendezvous={"embedded": False})

    def test_sigterm_on_a_busy_node(self) -> None:
        registered = self.server.wait_for("REGISTER")
        modern, legacy = self.greet("modern"), LegacyPeer("legacy")
        self.addCleanup(legacy.close)
        old_link = legacy.dial(self.node.port)
        self.keep_deaf()
        msg_id = self.node.data("/msg modern never acknowledged")["msg_id"]
        modern.wait_for("SEND", msg_id=msg_id)
        self.keep_busy(modern)
        self.node.wait_for("message", from_="modern@CIC")
        self.node.terminate()
        self.assertEqual(self.node.wait_for_exit(LEAVING_TIME), -signal.SIGTERM)
        for link in (modern, old_link):
            goodbye = link.wait_for("BYE")
            self.assertEqual((goodbye["src"], goodbye["ttl"]), ("alice@CIC", 1))
            link.wait_for_end()
        # which lines share a read depends on this process, which is as busy as the node
        wrong = [violation for violation in legacy.violations if "segment" not in violation]
        self.assertEqual((old_link.kinds()[-1], wrong), ("BYE", []))
        self.assert_shown_what_was_acknowledged(modern)
        farewell = self.server.wait_for("UNREGISTER")
        for key in ("name", "namespace", "port"):
            self.assertEqual(farewell[key], registered[key])
        states = [event["state"] for event in self.node.events("delivery", msg_id=msg_id)]
        self.assertEqual(states, ["queued", "sent"])  # it goes on when the node does

    def assert_shown_what_was_acknowledged(self, link: RawLink) -> None:
        acknowledged = {line["msg_id"] for line in link.received.all() if line["type"] == "ACK"}
        shown = {event["msg_id"] for event in self.node.events("message")}
        self.assertTrue(acknowledged)
        self.assertEqual(acknowledged - shown, set())

    def greet(self, name: str) -> RawLink:
        """Say HELLO as one of our own kind."""
        link = RawLink(connect(self.node.port), Notes())
        self.addCleanup(link.close)
        link.send({"type": "HELLO", "peer_id": f"{name}@CIC", "agent": "raw"})
        link.wait_for("HELLO_OK")
        return link

    def keep_deaf(self) -> None:
        """Have a peer that never reads, and something that waits for it."""
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HERE, self.node.port))
        connection.sendall(encoded({"type": "HELLO", "peer_id": "deaf@CIC", "agent": "raw"}))
        self.node.wait_for("peer_up", peer_id="deaf@CIC")
        for _ in range(300):
            self.node.data(f"/pub * {'x' * 20_000}")

    def keep_busy(self, link: RawLink) -> None:
        """Have a thread send one text after another until the link ends."""

        def talk() -> None:
            number = 0
            while not link.received.ended:
                number += 1
                try:
                    link.send({"type": "SEND", "msg_id": str(number), "payload": "busy"})
                except OSError:
                    return

        thread = Thread(target=talk, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
