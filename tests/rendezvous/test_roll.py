"""The registrations of a namespace."""

from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous import replies
from p2pchat.rendezvous.lines import Lines
from p2pchat.rendezvous.replies import Listed
from p2pchat.rendezvous.roll import Key, Roll, RollCall, Term, shared_key

ANA = Key("10.0.0.1", "CIC", "ana")
BOB = Key("127.0.0.2", "CIC", "bob")


class SharedKeyTests(SynchronousTestCase):
    def test_what_is_alike_is_there_once(self):
        one, other = (
            shared_key(b"10.0.0.1".decode(), b"CIC \xc3\xa7".decode(), name)
            for name in ("ana", "bob")
        )
        self.assertEqual((one, other), (("10.0.0.1", "CIC ç", "ana"), ("10.0.0.1", "CIC ç", "bob")))
        self.assertIs(one.ip, other.ip)
        self.assertIs(one.namespace, other.namespace)


class RollTests(SynchronousTestCase):
    def setUp(self):
        self.lines = Lines(1000)
        self.roll = Roll()
        self.roll.add(ANA, Term(4000, 60, 160.0))
        self.roll.add(BOB, Term(4001, 30, 130.0))

    def put(self, key, term):
        self.roll.replace(key, self.roll.terms[key], term)

    def call(self, second=100):
        self.lines.begin(second)
        return RollCall([self.roll], second, self.lines, "CIC")

    def test_who_registers_again_keeps_his_place(self):
        for term in (Term(4000, 60, 200.5), Term(4002, 60, 200.5), Term(4002, 99, 200.5)):
            self.put(ANA, term)
            self.lines.drop("CIC")
            ana, bob = self.call(151).line().split(b'{"ip": ')[1:]
            expected = (
                b'"port": %d, "name": "ana", "namespace": "CIC", "ttl": %d, "expires_in": 49}'
            )
            self.assertIn(expected % term[:2], ana)
            self.assertIn(b"bob", bob)

    def test_a_refresh_writes_nothing_anew(self):
        self.call().line()
        before = self.roll._template
        self.put(ANA, Term(4000, 60, 200.0))
        self.assertIsNotNone(before)
        self.assertIs(self.roll._template, before)

    def test_who_comes_later_is_written_behind_the_others(self):
        self.call().line()
        with patch.object(replies, "template", wraps=replies.template) as written:
            self.roll.add(Key("10.0.0.3", "CIC", "eve"), Term(4002, 10, 105.0))
            self.lines.drop("CIC")
            call = self.call()
            self.assertEqual([peer.name for peer in call.peers], ["ana", "bob", "eve"])
            self.assertEqual(call.line(), replies.listing(call.peers))
        self.assertEqual(written.call_count, 1)

    def test_several_rolls_are_called_one_after_the_other(self):
        other = Roll()
        other.add(Key("::1", "lab", "eve"), Term(4002, 10, 105.0))
        self.assertEqual(
            RollCall([other, self.roll], 100, self.lines, None).peers,
            [
                Listed("::1", 4002, "eve", "lab", 10, 5),
                Listed("10.0.0.1", 4000, "ana", "CIC", 60, 60),
                Listed("127.0.0.2", 4001, "bob", "CIC", 30, 30),
            ],
        )

    def test_a_line_is_written_once_a_second(self):
        line = self.call().line()
        self.assertIs(self.call().line(), line)
        self.assertEqual(
            self.call(101).line(), line.replace(b'in": 60', b'in": 59').replace(b": 30}", b": 29}")
        )

    def test_loopback_is_there_until_the_last_such_peer_is_gone(self):
        self.put(BOB, Term(4009, 30, 130.0))
        self.assertTrue(self.call().has_loopback)
        self.roll.remove(BOB)
        self.assertFalse(self.call().has_loopback)
