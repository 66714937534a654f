"""Rule 2.10: the program that dies of PUB shows itself by a float timestamp; it gets SENDs."""

from typing import Any

from p2pchat.errors import RequestError
from tests.chat.cases import ChatCase
from tests.chat.scripted import ScriptedLink


class FloatTimestamps(ChatCase):
    def setUp(self) -> None:
        super().setUp()
        self.alice = self.node()
        self.odd = self.legacy("odd")
        self.odd.timestamp = 1735732800.123

    def published(self, link: ScriptedLink) -> list[dict[str, Any]]:
        self.run_for(0.2)
        self.assertEqual(link.got("PUB"), [])
        return [
            {key: message[key] for key in ("src", "dst", "payload", "require_ack")}
            for message in link.got("SEND")
        ]

    def as_send(self, payload: str) -> dict[str, Any]:
        return {"src": "alice@CIC", "dst": "odd@CIC", "payload": payload, "require_ack": False}

    def test_rule_10_known_by_its_pong(self) -> None:
        link = self.dialled_by(self.alice, self.odd)
        msg_id, count = self.alice.chat.publish("#CIC", "hello")
        self.alice.chat.publish("*", "all")
        self.assertEqual(count, 1)
        expected = [self.as_send("[#CIC] hello"), self.as_send("[*] all")]
        self.assertEqual(self.published(link), expected)
        self.assertEqual(link.got("SEND")[0]["msg_id"], msg_id)

    def test_rule_10_known_by_its_ping(self) -> None:
        self.odd.timestamp = "2025-01-01T12:00:00Z"
        link = self.dialled_by(self.alice, self.odd)
        link.send(type="PING", msg_id="1", timestamp=1735732800.5)
        self.run_for(0.1)
        self.alice.chat.publish("*", "all")
        self.assertEqual(self.published(link), [self.as_send("[*] all")])

    def test_rule_10_a_publication_before_its_first_pong_waits_and_becomes_a_send(self) -> None:
        link = self.odd.dial(self.alice.address)
        self.run_for(0.05)
        self.alice.chat.publish("*", "early")
        self.assertEqual(self.published(link), [self.as_send("[*] early")])

    def test_rule_10_no_publication_while_its_first_pong_is_late(self) -> None:
        self.odd.answers.discard("PING")
        link = self.dialled_by(self.alice, self.odd)
        self.alice.chat.publish("*", "early")
        self.run_for(20)
        self.assertEqual(self.published(link), [])
        link.send(type="PONG", msg_id=link.got("PING")[0]["msg_id"], timestamp=1735732800.5)
        self.assertEqual(self.published(link), [self.as_send("[*] early")])

    def comes_back_slow(self, link: ScriptedLink, **introduction: str) -> ScriptedLink:
        """Let the peer's link end, and another one come whose PING is not answered in time."""
        link.close()
        self.run_for(0.5)
        self.odd.introduction.update(introduction)
        second = self.odd.dial(self.alice.address)
        second.answers.discard("PING")
        self.run_for(0.5)
        self.alice.chat.publish("*", "again")
        self.run_for(8)
        return second

    def test_rule_10_it_is_known_on_its_next_link_however_slow_that_is(self) -> None:
        second = self.comes_back_slow(self.dialled_by(self.alice, self.odd))
        self.assertEqual(self.published(second), [self.as_send("[*] again")])

    def test_rule_10_what_one_link_tells_counts_on_the_other_one_too(self) -> None:
        self.odd.timestamp = "2025-01-01T12:00:00Z"
        self.odd.answers.discard("PING")
        self.alice.discovers(self.odd)
        self.alice.chat.reconnect()
        first = self.dialled_by(self.alice, self.odd)
        second = self.odd.links[1]
        self.assertEqual(len(self.alice.chat.link_infos()), 2)
        second.send(type="ACK", msg_id="unknown")  # the one to write to (2.8)
        self.run_for(0.1)
        self.alice.chat.publish("*", "all")
        first.send(type="PING", msg_id="1", timestamp=1735732800.5)
        self.run_for(36)  # it is found when the next PING is due
        self.assertEqual(self.published(second), [self.as_send("[*] all")])

    def test_rule_10_a_program_of_our_own_kind_in_its_place_gets_publications(self) -> None:
        second = self.comes_back_slow(self.dialled_by(self.alice, self.odd), agent="p2pchat/9")
        self.assertEqual((len(second.got("SEND")), len(second.got("PUB"))), (0, 1))

    def test_rule_10_on_a_link_that_we_dialled_too(self) -> None:
        self.dial(self.alice, self.odd)
        self.alice.chat.publish("*", "all")
        self.assertEqual(self.published(self.odd.link), [self.as_send("[*] all")])

    def test_rule_10_nobody_else_gets_sends(self) -> None:
        odd = self.dialled_by(self.alice, self.odd)
        other = self.dialled_by(self.alice, self.legacy("other"))
        self.alice.chat.publish("*", "all")
        self.run_for(0.2)
        self.assertEqual((len(odd.got("SEND")), len(odd.got("PUB"))), (1, 0))
        self.assertEqual((len(other.got("SEND")), len(other.got("PUB"))), (0, 1))

    def test_rule_10_the_longest_publication_fits_in_its_longer_form(self) -> None:
        self.odd.introduction["peer_id"] = self.odd.peer_id = "é" * 64 + "@" + "ü" * 64
        link = self.dialled_by(self.alice, self.odd)
        size = 32768
        while True:
            try:
                self.alice.chat.publish("#" + "ü" * 64, "x" * size)
                break
            except RequestError:
                size -= 1
        self.run_for(0.2)
        self.assertEqual(len(link.got("SEND")), 1)
        self.assertLessEqual(len(link.node_end.written[-1].data), 32768)
        self.assertGreater(size, 31000)

    def test_rule_10_it_makes_no_delivery(self) -> None:
        link = self.dialled_by(self.alice, self.odd)
        msg_id, _ = self.alice.chat.publish("*", "all")
        self.run_for(0.1)
        link.send(type="ACK", msg_id=msg_id)
        self.run_for(10)
        self.assertEqual(self.alice.states(msg_id), [])
