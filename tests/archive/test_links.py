"""The table of live links."""

from dataclasses import dataclass
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.links import Links
from p2pchat.identity import Address

OURS = Address("10.0.0.1", 51511)

#: Seconds for which one may be silent.
PATIENCE = 15.0


@dataclass(eq=False)
class FakeLink:
    """As much of a link as the table looks at."""

    host: str
    dialled: bool = False
    spoke: bool = True
    port: int = 40000
    local: Address = OURS
    proven: bool = False
    kept: int = 0

    @property
    def remote(self) -> Address:
        return Address(self.host, self.port)


def filled(links: Links, *hosts: str) -> list[FakeLink]:
    made = [FakeLink(host, port=40000 + number) for number, host in enumerate(hosts)]
    for link in made:
        links.add(link, 0.0)
    return made


class TargetTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.links = Links(10, PATIENCE)

    def test_the_dialled_link_of_an_address_else_all(self) -> None:
        first, second, other = filled(self.links, "a", "a", "b")
        self.assertEqual(self.links.targets(), [first, second, other])
        self.assertTrue(self.links.is_target(first))
        dialled = FakeLink("a", dialled=True)
        self.links.add(dialled, 0.0)
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


class AdmissionCase(SynchronousTestCase):
    """There is room for three accepted links."""

    def setUp(self) -> None:
        self.links = Links(3, PATIENCE)

    def add(self, host: str, now: float = 0.0) -> FakeLink | None:
        """Add a link as its owner does; return who had to go."""
        link = FakeLink(host)
        evicted = self.links.add(link, now)
        if evicted is not None:
            self.links.remove(evicted)
        assert evicted is None or isinstance(evicted, FakeLink)
        return evicted


class AdmissionTests(AdmissionCase):
    """Accepted links are bounded, and whoever has the most makes room."""

    def test_who_has_the_most_gives_up_its_newest(self) -> None:
        _, newest = filled(self.links, "crowd", "crowd")
        self.add("a")
        self.assertIs(self.add("b"), newest)
        self.assertEqual(self.links.hosts, ["crowd", "a", "b"])

    def test_whoever_is_late_takes_no_place_of_who_has_no_more(self) -> None:
        filled(self.links, "a", "b", "c")
        late = FakeLink("d")
        self.assertIs(self.links.add(late, 0.0), late)

    def test_nor_does_who_would_have_as_many(self) -> None:
        links = Links(4, PATIENCE)
        filled(links, "a", "b", "b", "a")
        late = FakeLink("a")
        self.assertIs(links.add(late, 0.0), late)

    def test_dialled_links_do_not_count(self) -> None:
        for number in range(10):
            self.assertIsNone(self.links.add(FakeLink(f"d{number}", dialled=True), 0.0))
        dialled = FakeLink("crowd", dialled=True)
        filled(self.links, "crowd", "crowd", "crowd")
        self.links.add(dialled, 0.0)
        evicted = self.add("a")
        self.assertIsNotNone(evicted)
        self.assertIn(dialled, self.links)

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=40))
    def test_never_more_than_the_bound_and_nobody_is_crowded_out(
        self, acts: list[tuple[str, bool]]
    ) -> None:
        self.links = Links(5, PATIENCE)
        for host, adds in acts:
            before = {other: len(self.links.of(other)) for other in self.links.hosts}
            if adds:
                evicted = self.add(host)
                if evicted is not None and evicted.host != host:
                    self.assertGreater(before[evicted.host], before.get(host, 0))
            elif self.links.of(host):
                self.links.remove(self.links.of(host)[0])
            self.assertLessEqual(len(list(self.links)), 5)


class SilenceTests(AdmissionCase):
    """Of those that never spoke the oldest makes room, once it had its time."""

    def test_the_oldest_goes_before_anybody_else(self) -> None:
        first, second = filled(self.links, "a", "b")
        self.links.add(spoken := FakeLink("c"), 0.0)
        self.links.spoken(spoken)
        self.assertIs(self.add("d", PATIENCE), first)
        self.assertIs(self.add("c", PATIENCE), second)
        self.assertIn(spoken, self.links)

    def test_not_before_its_time(self) -> None:
        filled(self.links, "a", "b", "c")
        late = FakeLink("d")
        self.assertIs(self.links.add(late, PATIENCE - 0.1), late)

    def test_nor_who_is_in_the_middle_of_its_first_message(self) -> None:
        for link in filled(self.links, "a", "b", "c"):
            self.links.heard(link)
        late = FakeLink("d")
        self.assertIs(self.links.add(late, PATIENCE), late)

    def test_nor_if_there_is_room(self) -> None:
        filled(self.links, "a", "b")
        self.assertIsNone(self.add("c", PATIENCE))


class ArrivingTests(SynchronousTestCase):
    """Who makes room when too much is arriving at once."""

    def setUp(self) -> None:
        self.links = Links(10, PATIENCE)

    def arriving(self, *kept: int) -> list[FakeLink]:
        """Have one link with so many bytes each, that have made progress in this order."""
        made = filled(self.links, *(f"10.0.1.{number}" for number in range(len(kept))))
        for link, size in zip(made, kept, strict=True):
            link.kept = size
            self.links.progressed(link)
        return made

    def test_nobody_up_to_the_limit(self) -> None:
        self.arriving(50, 50)
        self.assertIsNone(self.links.too_much(100))

    def test_who_made_no_progress_for_longest_however_little_it_holds(self) -> None:
        large, small, other = self.arriving(90, 5, 10)
        self.links.progressed(large)
        self.assertIs(self.links.too_much(100), small)
        self.links.remove(small)
        self.links.progressed(FakeLink("10.0.1.9", kept=1))
        self.assertIsNone(self.links.too_much(100))
        other.kept = 11
        self.assertIs(self.links.too_much(100), other)

    def test_last_of_all_who_was_dialled_or_is_proven(self) -> None:
        dialled, proven, stranger = self.arriving(50, 50, 10)
        dialled.dialled = proven.proven = True
        self.assertIs(self.links.too_much(100), stranger)
        stranger.kept = 0
        self.assertIs(self.links.too_much(99), dialled)
        self.assertIsNone(self.links.too_much(100))


class ListingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.links = Links(10, PATIENCE)
        self.asker = FakeLink("10.0.0.9")

    def listing(self, *hosts: FakeLink, own: frozenset[str] = frozenset()) -> list[str]:
        for link in hosts:
            self.links.add(link, 0.0)
        return self.links.listing_for(self.asker, set(own))

    def test_live_peers_that_spoke_or_that_we_dialled(self) -> None:
        spoke, silent = FakeLink("10.0.0.2"), FakeLink("10.0.0.3", spoke=False)
        dialled = FakeLink("10.0.0.4", spoke=False, dialled=True)
        self.assertEqual(self.listing(spoke, silent, dialled), ["10.0.0.2", "10.0.0.4"])

    def test_it_follows_who_comes_speaks_and_goes(self) -> None:
        link = FakeLink("10.0.0.2", spoke=False)
        self.assertEqual(self.listing(link), [])
        link.spoke = True
        self.links.spoken(link)
        self.assertEqual(self.listing(), ["10.0.0.2"])
        self.assertEqual(self.links.peers, ["10.0.0.2"])
        self.assertEqual(self.listing(own=frozenset({"10.0.0.2"})), [])
        self.assertEqual(self.listing(FakeLink("10.0.0.3")), ["10.0.0.2", "10.0.0.3"])
        self.links.remove(link)
        self.assertEqual(self.listing(), ["10.0.0.3"])

    def test_it_is_not_made_anew_for_each_who_asks(self) -> None:
        self.listing(FakeLink("10.0.0.2"), FakeLink("10.0.0.3"))
        with patch("p2pchat.archive.links.is_plausible") as is_plausible:
            self.asker = FakeLink("10.0.0.2")
            self.assertEqual(self.listing(), ["10.0.0.3"])
        is_plausible.assert_not_called()

    def test_our_own_address_is_ours_as_long_as_a_link_shows_it(self) -> None:
        elsewhere = Address("10.0.0.3", 1)
        first, second = (FakeLink("10.0.0.2", port=port, local=elsewhere) for port in (1, 2))
        self.assertEqual(self.listing(first, second, FakeLink("10.0.0.3")), ["10.0.0.2"])
        self.links.remove(first)
        self.assertEqual(self.listing(), ["10.0.0.2"])
        self.links.remove(second)
        self.assertEqual(self.listing(), ["10.0.0.3"])
        self.assertEqual(self.links.local_hosts, {OURS.host})

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
            links = Links(10, PATIENCE)
            self.assertIsNone(links.twin(first))
            links.add(first, 0.0)
            self.assertIs(links.twin(second), first)

    def test_two_links_to_one_address_are_none(self) -> None:
        links = Links(10, PATIENCE)
        accepted = FakeLink("10.0.0.2", port=50000, local=Address("10.0.0.1", 51511))
        dialled = FakeLink("10.0.0.2", dialled=True, port=51511, local=Address("10.0.0.1", 50000))
        links.add(accepted, 0.0)
        self.assertIsNone(links.twin(dialled))
