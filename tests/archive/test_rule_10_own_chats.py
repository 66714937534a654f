"""Rule 3.10: our chats are kept until others confirm them."""

from collections.abc import Callable

from p2pchat.archive.archive import Archive
from p2pchat.archive.mining import DOUBLINGS, PAUSE
from p2pchat.events import ArchiveGrew, ChatChanged
from tests.archive.examples import THOUSAND, mined, wire
from tests.archive.mined import easy_proof
from tests.archive.world import ARCHIVE, SOON, ArchiveCase, ArchiveNode, ScriptedLink

ALICE, BOB, CAROL = "10.0.0.1", "10.0.0.2", "10.0.0.3"
FIVE = THOUSAND.truncated(5)


def other(length: int, name: bytes = b"other") -> Archive:
    """Return an archive with so many chats of others on top of FIVE."""
    return mined(FIVE, *(b"%s %d" % (name, number) for number in range(length)))


class OwnChatTests(ArchiveCase):
    def setUp(self) -> None:
        super().setUp()
        self.enterContext(easy_proof())
        self.alice = self.world.node(ALICE, archive=FIVE)
        self.bob = self.linked(self.alice, BOB)
        self.alice.service.chat("mine")
        self.run_for(SOON)

    def states(self) -> list[str]:
        return [event.state for event in self.alice.events if isinstance(event, ChatChanged)]

    def newest(self, link: ScriptedLink) -> Archive:
        return link.got(ARCHIVE)[-1].archive

    def send(self, link: ScriptedLink, archive: Archive) -> None:
        link.say(wire(archive))
        self.world.network.run_until(lambda: self.holds(archive), limit_seconds=SOON)

    def holds(self, archive: Archive) -> bool:
        """Tell whether the node has come to hold this archive at some moment."""
        grown = (event for event in self.alice.events if isinstance(event, ArchiveGrew))
        return archive.tip in [event.tip for event in grown]

    def test_rule_10_mined_and_sent(self) -> None:
        self.assertEqual(self.states(), ["mining", "archived"])
        self.assertEqual(self.newest(self.bob).chat(5).text, b"mine")

    def test_rule_10_displaced_it_is_mined_again_on_top(self) -> None:
        self.send(self.bob, other(2))
        self.run_for(1)
        self.assertEqual(self.states(), ["mining", "archived", "displaced", "archived"])
        sent = self.newest(self.bob)
        self.assertEqual(sent.height, 8)
        self.assertEqual(sent.truncated(7), other(2))
        self.assertEqual(sent.chat(7).text, b"mine")

    def test_rule_10_reported_when_the_archive_that_holds_it_now_is_stored(self) -> None:
        stored: list[Callable[[], None]] = []
        self.patch(self.alice.service._keeper, "when_saved", stored.append)
        self.send(self.bob, other(2))
        self.world.network.run_until(lambda: stored, limit_seconds=1)
        eight = self.alice.service.archive
        self.send(self.bob, mined(other(2), b"p", b"q"))
        self.send(self.bob, mined(eight, b"r", b"s", b"t"))
        self.assertEqual(self.alice.service.info().chats[0].height, 8)  # as in the first one
        self.assertEqual(self.states()[-1], "displaced")
        stored[0]()
        self.assertEqual(self.states()[-1], "displaced")
        stored[-1]()
        self.assertEqual(self.states()[-1], "archived")

    def test_rule_10_after_a_short_time_by_chance(self) -> None:
        pauses = []
        for number in range(6):
            self.send(self.bob, other(2 * number + 2, b"race %d" % number))
            began = self.world.now
            height = self.alice.height
            self.world.network.run_until(lambda h=height: self.alice.height > h, limit_seconds=5)
            pauses.append(round(self.world.now - began, 3))
        self.assertEqual(len(set(pauses)), 6)
        low, high = PAUSE
        for losses, pause in enumerate(pauses):
            most = high * 2 ** min(losses, DOUBLINGS)
            self.assertTrue(low <= pause <= most, pause)

    def test_rule_10_as_often_as_it_takes(self) -> None:
        for number in range(5):
            self.send(self.bob, other(3 * number + 2, b"race %d" % number))
            self.run_for(PAUSE[1] * 2**DOUBLINGS + SOON)
            self.assertEqual(self.alice.texts.count("mine"), 1)

    def test_rule_10_until_somebody_sends_an_archive_with_it(self) -> None:
        self.bob.say(wire(self.newest(self.bob)))
        self.run_for(SOON)
        self.assertEqual(self.states(), ["mining", "archived", "confirmed"])
        (chat,) = self.alice.service.info().chats
        self.assertEqual((chat.state, chat.confirmations, chat.height), ("confirmed", 1, 6))

    def test_rule_10_only_peers_confirm_and_each_once(self) -> None:
        carol = self.linked(self.alice, CAROL)
        for link in (self.bob, carol, self.bob, carol):
            link.say(wire(self.newest(self.bob)))
            self.run_for(SOON)
        (chat,) = self.alice.service.info().chats
        self.assertEqual(chat.confirmations, 2)

    def test_rule_10_an_archive_without_it_confirms_nothing(self) -> None:
        self.bob.say(wire(FIVE) + wire(other(1)))
        self.run_for(SOON)
        self.assertNotIn("confirmed", self.states())

    def test_rule_10_two_nodes_that_race_keep_both(self) -> None:
        nodes = [self.alice, self.world.node(CAROL, ALICE, archive=FIVE)]
        self.run_for(SOON)
        for round_ in range(10):
            for node in nodes:
                node.service.chat(f"{node.address} {round_}")
            self.run_for(20)
        wanted = sorted(
            ["mine", *(f"{node.address} {number}" for number in range(10) for node in nodes)]
        )
        for node in nodes:
            self.assertEqual(self.own_texts(node), wanted)
        self.assertEqual(nodes[0].archive, nodes[1].archive)

    def own_texts(self, node: ArchiveNode) -> list[str]:
        return sorted(node.texts[5:])
