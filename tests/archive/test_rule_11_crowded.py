"""Rule 3.11: one program cannot take more than 992 chats; that is said once."""

from tests.archive.examples import THOUSAND
from tests.archive.world import SOON, ArchiveCase, ArchiveNode

ALICE = "10.0.0.1"


class CrowdedTests(ArchiveCase):
    def said(self, node: ArchiveNode) -> int:
        return sum("992" in notice for notice in node.notices())

    def test_rule_11_said_when_it_is_crossed_and_not_before(self) -> None:
        alice = self.world.node(ALICE, archive=THOUSAND.truncated(990))
        for height, times in ((991, 0), (992, 0), (993, 1), (994, 1), (1000, 1)):
            self.feed(alice, THOUSAND.truncated(height))
            self.assertEqual(self.said(alice), times, height)

    def test_rule_11_also_when_it_is_jumped_over(self) -> None:
        alice = self.world.node(ALICE)
        self.feed(alice, THOUSAND)
        self.assertEqual(self.said(alice), 1)

    def test_rule_11_not_at_every_start(self) -> None:
        alice = self.world.node(ALICE, archive=THOUSAND.truncated(993))
        self.run_for(SOON)
        self.feed(alice, THOUSAND)
        self.assertEqual(self.said(alice), 0)
