"""The table of live links."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.links import Links
from p2pchat.identity import Address

OURS = Address("10.0.0.1", 51511)


@dataclass(eq=False)
class FakeLink:
    """As much of a link as the table looks at."""

    host: str
    dialled: bool = False
    spoke: bool = True
    port: int = 40000
    local: Address = OURS

    @property
    def remote(self) -> Address:
        return Address(self.host, self.port)


def filled(links: Links, *hosts: str) -> list[FakeLink]:
    made = [FakeLink(host, port=40000 + number) for number, host in enumerate(hosts)]
    for link in made:
        links.add(link)
    return made


class TargetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.links = Links(10)

    def test_the_dialled_link_of_an_address_else_all(self) -> None:
        first, second, other = filled(self.links, "a", "a", "b")
        self.assertEqual(self.links.targets(), [first, second, other])
        self.assertTrue(self.links.is_target(first))
        dialled = FakeLink("a", dialled=True)
        self.links.add(dialled)
        self.assertEqual(self.links.targets(), [dialled, other])
        self.assertFalse(self.links.is_target(first))
        self.assertTrue(self.links.is_target(dialled))
        self.links.remove(dialled)
        self.assertEqual(self.links.targets(), [first, second, other])

    def test_an_address_goes_with_its_last_link(self) -> None:
        first, second = filled(self.links, "a", "a")
        self.links.remove(first)
        self.assertEqual(self.links.hosts, ["a"])
        self.links.remove(second)
        self.links.remove(second)
        self.assertEqual(self.links.hosts, [])
        self.assertEqual(self.links.of("a"), [])

    def test_links_may_go_while_they_are_gone_through(self) -> None:
        filled(self.links, "a", "a", "b", "c")
        seen = []
        for link in self.links:
            seen.append(link)
            for other in self.links.of(link.host):
                self.links.remove(other)
        self.assertEqual([link.host for link in seen], ["a", "a", "b", "c"])


class AdmissionTests(SynchronousTestCase):
    """Accepted links are bounded, and whoever has the most makes room."""

    def setUp(self) -> None:
        self.links = Links(3)

    def add(self, host: str) -> FakeLink | None:
        """Add a link as its owner does; return who had to go."""
        evicted = self.links.add(FakeLink(host))
        if evicted is not None:
            self.links.remove(evicted)
        assert evicted is None or isinstance(evicted, FakeLink)
        return evicted

    def test_who_has_the_most_gives_up_its_newest(self) -> None:
        _, newest = filled(self.links, "crowd", "crowd")
        self.add("a")
        self.assertIs(self.add("b"), newest)
        self.assertEqual(self.links.hosts, ["crowd", "a", "b"])

    def test_whoever_is_late_takes_no_place_of_who_has_no_more(self) -> None:
        filled(self.links, "a", "b", "c")
        late = FakeLink("d")
        self.assertIs(self.links.add(late), late)

    def test_nor_does_who_would_have_as_many(self) -> None:
        links = Links(4)
        filled(links, "a", "b", "b", "a")
        late = FakeLink("a")
        self.assertIs(links.add(late), late)

    def test_dialled_links_do_not_count(self) -> None:
        for number in range(10):
            self.assertIsNone(self.links.add(FakeLink(f"d{number}", dialled=True)))
        dialled = FakeLink("crowd", dialled=True)
        filled(self.links, "crowd", "crowd", "crowd")
        self.links.add(dialled)
        evicted = self.add("a")
        self.assertIsNotNone(evicted)
        self.assertIn(dialled, self.links)

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
    def test_never_more_than_the_bound_and_nobody_is_crowded_out(
        self, acts: list[tuple[str, bool]]
    ) -> None:
        self.links = Links(5)
        for host, adds in acts:
            before = {other: len(self.links.of(other)) for other in self.links.hosts}
            if adds:
                evicted = self.add(host)
                if evicted is not None and evicted.host != host:
                    self.assertGreater(before[evicted.host], before.get(host, 0))
            elif self.links.of(host):
                self.links.remove(self.links.of(host)[0])
            self.assertLessEqual(len(list(self.links)), 5)


class ListingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.links = Links(10)
        self.asker = FakeLink("10.0.0.9")

    def listing(self, *hosts: FakeLink, own: frozenset[str] = frozenset()) -> list[str]:
        for link in hosts:
            self.links.add(link)
        return self.links.listing_for(self.asker, set(own))

    def test_live_peers_that_spoke_or_that_we_dialled(self) -> None:
        spoke, silent = FakeLink("10.0.0.2"), FakeLink("10.0.0.3", spoke=False)
        dialled = FakeLink("10.0.0.4", spoke=False, dialled=True)
        self.assertEqual(self.listing(spoke, silent, dialled), ["10.0.0.2", "10.0.0.4"])

    def test_never_the_asker_nor_ourselves(self) -> None:
        ours = FakeLink("10.0.0.1"), FakeLink("10.0.0.7")
        self.assertEqual(self.listing(self.asker, *ours, own=frozenset({"10.0.0.7"})), [])

    def test_only_what_can_be_written_and_be_of_use(self) -> None:
        odd = (FakeLink(host) for host in ("::1", "::ffff:10.0.0.5", "bob.example", "127.0.0.5"))
        self.assertEqual(self.listing(*odd), [])
        self.asker = FakeLink("127.0.0.9")
        self.assertEqual(self.listing(), ["127.0.0.5"])


class TwinTests(SynchronousTestCase):
    """The other end of a link of ours, if that is ours as well."""

    def test_found_whichever_of_them_came_first(self) -> None:
        here, there = Address("10.0.0.1", 50000), Address("10.0.0.1", 51511)
        dialled = FakeLink(there.host, dialled=True, port=there.port, local=here)
        accepted = FakeLink(here.host, port=here.port, local=there)
        for first, second in ((dialled, accepted), (accepted, dialled)):
            links = Links(10)
            self.assertIsNone(links.twin(first))
            links.add(first)
            self.assertIs(links.twin(second), first)

    def test_two_links_to_one_address_are_none(self) -> None:
        links = Links(10)
        accepted = FakeLink("10.0.0.2", port=50000, local=Address("10.0.0.1", 51511))
        dialled = FakeLink("10.0.0.2", dialled=True, port=51511, local=Address("10.0.0.1", 50000))
        links.add(accepted)
        self.assertIsNone(links.twin(dialled))
