"""Ports that are taken at the start and served later."""

import socket
from contextlib import closing

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from p2pchat.errors import StartError
from p2pchat.ports import take_port

HERE = "127.0.0.1"


class PortTests(SynchronousTestCase):
    def take(self, bind: str = HERE, port: int = 0) -> socket.socket:
        listening = take_port(bind, port, 5, "choose another")
        self.addCleanup(listening.close)
        return listening

    def test_who_connects_before_it_is_served_waits(self) -> None:
        listening = self.take()
        place = listening.getsockname()
        with closing(socket.create_connection(place, 5)) as client:
            client.sendall(b"x")
            accepted, _ = listening.accept()
            with closing(accepted):
                self.assertEqual(accepted.recv(1), b"x")

    def test_one_that_is_taken_is_told_with_the_hint(self) -> None:
        port = self.take().getsockname()[1]
        error = self.assertRaises(StartError, take_port, HERE, port, 5, "choose another")
        place = f"cannot listen on {HERE}:{port}"
        self.assertEqual(str(error), f"{place}: Address already in use; choose another")

    def test_an_address_that_is_not_ours_is_told_without(self) -> None:
        error = self.assertRaises(StartError, take_port, "192.0.2.1", 0, 5, "choose another")
        self.assertIn("192.0.2.1", str(error))
        self.assertNotIn("choose another", str(error))

    def test_all_addresses_are_those_of_both_families(self) -> None:
        if not socket.has_dualstack_ipv6():
            raise SkipTest("no IPv6")
        port = self.take("::").getsockname()[1]
        for host in (HERE, "::1"):
            socket.create_connection((host, port), 5).close()
