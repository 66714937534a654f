"""The fakes of the archive themselves: they must see what a node may not do."""

import contextlib
import socket

from twisted.trial.unittest import SynchronousTestCase

from tests.integration import archive_hostile as hostile
from tests.integration import archive_kinds as kinds
from tests.integration.archive_cases import ArchiveCase, published
from tests.integration.archive_chain import grown, is_valid, mined, response, split, texts
from tests.integration.archive_links import Kind
from tests.integration.archive_peers import HonestPeer, PlainPeer
from tests.integration.programs import ROOT
from tests.integration.waiting import wait_until

ALICE, BOB, CAROL = "127.0.0.2", "127.0.0.3", "127.0.0.4"

#: Those that get on with a plain peer.
SOCIABLE = (
    PlainPeer,
    kinds.NeverAsking,
    kinds.SilentWhileEmpty,
    kinds.TakingAnything,
    kinds.NotificationFearing,
    kinds.Notifying,
    kinds.Reversing,
)
HOSTILE = (
    hostile.Stalling,
    hostile.StallingInAList,
    hostile.Truncating,
    hostile.Dripping,
    hostile.Hasty,
    hostile.Deaf,
)


class ChainTests(SynchronousTestCase):
    def test_the_published_archives(self) -> None:
        example = (ROOT / "tests" / "data" / "archive_example.bin").read_bytes()
        for chain, count in ((split(example[4:]), 5), (published(), 1000)):
            self.assertEqual(len(chain), count)
            self.assertTrue(is_valid(chain))
        self.assertEqual(response(split(example[4:])), b"\x04" + example)

    def test_a_changed_byte(self) -> None:
        chain = grown((), "one", "two")
        for index, chat in enumerate(chain):
            for place in range(1, len(chat)):
                changed = chat[:place] + bytes([chat[place] ^ 1]) + chat[place + 1 :]
                self.assertFalse(is_valid((*chain[:index], changed, *chain[index + 1 :])))

    def test_mining(self) -> None:
        for chain in ((), published()):
            longer = mined(chain, "new")
            self.assertEqual(texts(longer), [*texts(chain), "new"])
            self.assertTrue(is_valid(longer))
        self.assertFalse(is_valid(mined((), "elsewhere") + mined((), "here")))


class RuleTests(ArchiveCase):
    def test_nothing_is_wrong_with_good_manners(self) -> None:
        bob = self.peer(PlainPeer, BOB)
        link = self.link(BOB, CAROL)
        for kind in (Kind.PEER_REQUEST, Kind.ARCHIVE_REQUEST):
            link.wait_for(kind)
        link.give_peers([socket.inet_aton(ALICE)])
        link.give_archive(())
        link.give_archive(grown((), "pushed"))
        bob.wait_for("pushed")
        self.assertEqual(bob.violations, [])

    def test_what_is_wrong(self) -> None:
        asker, sender = socket.inet_aton(BOB), socket.inet_aton(CAROL)
        many = [number.to_bytes(4, "big") for number in range(1001)]
        for complaint, data in (
            ("a list with the asker", b"\x02\0\0\0\x01" + asker),
            ("a list with its sender", b"\x02\0\0\0\x01" + sender),
            ("a list of more than 1,000", b"\x02\0\0\x03\xe9" + b"".join(many)),
            ("a list with an address twice", b"\x02\0\0\0\x02" + 2 * socket.inet_aton(ALICE)),
            ("an archive that is not valid", response(mined((), "here") * 2)),
            ("a notification: ", b"\x05\x07unasked"),
            ("a notification that hurts: b'short'", b"\x05\x05short"),
            ("a notification that hurts: b'caf\\xc3\\xa9!'", b"\x05\x06caf\xc3\xa9!"),
            ("an identification", b"\0" + sender),
        ):
            self.assert_complaint(PlainPeer, data, complaint)

    def test_what_nobody_asked_for(self) -> None:
        for complaint, data in (
            ("a list that nobody asked for", b"\x02" + bytes(4)),
            ("an empty archive that nobody asked for", response(())),
        ):
            self.assert_complaint(kinds.NeverAsking, data, complaint)

    def assert_complaint(self, program: type[PlainPeer], data: bytes, complaint: str) -> None:
        bob = program(BOB, self.port)
        try:
            link = self.link(BOB, CAROL)
            if program is PlainPeer:
                link.wait_for(Kind.ARCHIVE_REQUEST)
            link.write(data)
            wait_until(lambda: complaint in "".join(bob.violations), complaint)
        finally:
            bob.close()

    def test_a_broken_stream(self) -> None:
        self.peer(PlainPeer, BOB)
        for data in (b"\x06", b"HTTP"):
            link = self.link(BOB, CAROL)
            link.write(data)
            link.wait_for_end()


class ConvergenceTests(ArchiveCase):
    def test_who_is_listed_is_dialled(self) -> None:
        alice, bob = self.peer(HonestPeer, ALICE), self.peer(HonestPeer, BOB, ALICE)
        carol = self.peer(HonestPeer, CAROL, BOB)
        for text, peer in (("a", alice), ("b", bob), ("c", carol)):
            peer.say(text)
            for other in (alice, bob, carol):
                other.wait_for(text)
        wait_until(lambda: ALICE in carol.neighbours, "Alice found by Carol")
        self.assertEqual(alice.chain, bob.chain)
        self.assertEqual(alice.texts, ["a", "b", "c"])
        self.assertEqual(alice.violations + bob.violations + carol.violations, [])

    def test_a_plain_peer_and_each_of_those_that_get_on_with_it(self) -> None:
        for program in SOCIABLE:
            alice, bob = PlainPeer(ALICE, self.port), program(BOB, self.port, ALICE)
            try:
                bob.say("from bob")
                alice.wait_for("from bob")
                alice.say("from alice")
                bob.wait_for("from alice")
                self.assertEqual((alice.chain, bob.violations), (bob.chain, []))
            finally:
                alice.close()
                bob.close()

    def test_a_lost_race_is_run_again(self) -> None:
        alice, bob = self.peer(PlainPeer, ALICE), self.peer(PlainPeer, BOB)
        alice.say("a")
        bob.say("b")
        bob.say("c")
        alice.dial(BOB)
        for peer in (alice, bob):
            peer.wait_for("a", "b", "c")
            self.assertEqual(sorted(peer.texts), ["a", "b", "c"])

    def test_others_converge_though_one_is_hostile(self) -> None:
        alice, bob = self.peer(PlainPeer, ALICE), self.peer(PlainPeer, BOB, ALICE)
        for program in HOSTILE:
            villain = program(CAROL, self.port, ALICE, BOB)
            try:
                wait_until(lambda: CAROL in alice.neighbours | bob.neighbours, program.__name__)
                alice.say(f"{program.__name__} to bob")
                bob.wait_for(alice.texts[-1])
            finally:
                villain.close()


class KindTests(ArchiveCase):
    """Each is odd in its own way."""

    def test_silent_while_empty(self) -> None:
        bob = self.peer(kinds.SilentWhileEmpty, BOB)
        link = self.link(BOB, CAROL)
        link.ask_archive()
        link.ask_peers()
        link.wait_for(Kind.PEER_LIST)
        self.assertNotIn(Kind.ARCHIVE_RESPONSE, [seen.kind for seen in link.received.all()])
        bob.say("something")
        link.wait_for(Kind.ARCHIVE_RESPONSE)
        link.ask_archive()
        link.wait_for(Kind.ARCHIVE_RESPONSE)

    def test_never_asking(self) -> None:
        self.peer(kinds.NeverAsking, BOB).say("something")
        link = self.link(BOB, CAROL)
        link.ask_peers()
        link.wait_for(Kind.PEER_LIST)
        self.assertEqual({seen.kind for seen in link.received.all()}, {4, 2})

    def test_taking_anything(self) -> None:
        bob = self.peer(kinds.TakingAnything, BOB)
        bob.adopt(grown((), "a", "b"))
        link = self.link(BOB, CAROL)
        for chain in (grown((), "c"), grown((), "c", "d"), grown((), "e")):
            link.give_archive(chain)
            bob.wait_for(*texts(chain))
            self.assertEqual(bob.chain, chain)

        def loses_it() -> bool:
            link.give_archive(())  # the first ones may be answers
            return not bob.chain

        wait_until(loses_it, "it is thrown away")

    def test_fearing_notifications(self) -> None:
        self.peer(kinds.NotificationFearing, BOB)
        self.peer(kinds.Notifying, ALICE).dial(BOB).wait_for_end()

    def test_introducing(self) -> None:
        bob = self.peer(kinds.Introducing, BOB)
        link = self.link(BOB, CAROL)
        link.ask_peers()
        link.wait_for_end()
        self.assertEqual(link.received.all(), [])
        link = self.link(BOB, CAROL)
        link.identify()
        link.ask_peers()
        link.wait_for(Kind.PEER_LIST)
        self.assertEqual(bob.violations, [])
        link = self.link(BOB, CAROL)
        link.write(b"\0" + socket.inet_aton(ALICE))
        wait_until(lambda: bob.violations, "the complaint about a wrong address")

    def test_introducing_itself(self) -> None:
        alice, bob = (self.peer(kinds.Introducing, host) for host in (ALICE, BOB))
        alice.say("a")
        alice.dial(BOB)
        bob.wait_for("a")
        self.assertEqual(alice.violations + bob.violations, [])

    def test_reversing(self) -> None:
        self.peer(PlainPeer, ALICE, BOB)
        bob = self.peer(kinds.Reversing, BOB)
        wait_until(lambda: ALICE in bob.neighbours, "Alice is here")
        link = self.link(BOB, CAROL)
        link.ask_peers()
        self.assertEqual(link.wait_for(Kind.PEER_LIST).addresses, ("2.0.0.127",))

    def test_stalling(self) -> None:
        for program, begins, grows in (
            (hostile.Stalling, b"\x04\xff\xff\xff\xff", False),
            (hostile.StallingInAList, b"\x02\xff\xff\xff\xff", False),
            (hostile.Endless, b"\x04\xff\xff\xff\xff", True),
            (hostile.EndlessList, b"\x02\xff\xff\xff\xff", True),
            (hostile.Truncating, b"\x04\0\0\0\x03\x03one", True),
            (hostile.Dripping, b"\x04\0", True),
        ):
            bob = program(BOB, self.port)
            try:
                connection = self.connect(BOB, CAROL)
                received = b""
                while len(received) < len(begins) + grows:
                    received += connection.recv(len(begins) + grows - len(received))
                self.assertTrue(received.startswith(begins), program)
            finally:
                bob.close()

    def test_hasty(self) -> None:
        bob = self.peer(hostile.Hasty, BOB, ALICE)
        with self.connect(BOB, CAROL) as connection:
            connection.sendall(b"\x03\x01")
            self.assertEqual(bob.first_bytes.take(lambda _: True, "the first byte"), b"\x03")
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(connection.recv(1), b"")
        alice = self.peer(PlainPeer, ALICE)
        for _ in range(3):
            alice.next_link().wait_for_end()

    def test_deaf(self) -> None:
        self.peer(hostile.Deaf, BOB)
        with self.connect(BOB, CAROL) as connection:
            self.assertIn(connection.recv(1), b"\x01\x03")
            connection.setblocking(False)
            with self.assertRaises(BlockingIOError):
                for _ in range(1000):
                    connection.send(bytes(1 << 16))
