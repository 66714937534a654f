"""What several servers say, joined."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.identity import Address, PeerId
from p2pchat.rendezvous.directory import MAX_ADDRESSES, Directory
from p2pchat.rendezvous.listener import Found

ME = PeerId("me@CIC")
BOB = PeerId("bob@CIC")


def found(peer: str = BOB, host: str = "10.0.0.1", age: float = 0.0, left: float = 600.0) -> Found:
    return Found(PeerId(peer), Address(host, 4000), left, age)


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.peers: list[tuple[PeerId, Address]] = []
        self.ips: list[str] = []
        self.notices: list[tuple[str, str]] = []

    def discovered(self, peers) -> None:
        self.peers = list(peers)

    def public_ips(self, ips) -> None:
        self.ips = list(ips)

    def notice(self, level, text) -> None:
        self.notices.append((level, text))

    def hosts(self, peer: str = BOB) -> list[str]:
        return [address.host for one, address in self.peers if one == peer]


class DirectoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.heard = Heard()
        self.directory = Directory(self.clock.seconds, Random(1), ME, 100, self.heard)
        self.first, self.second = self.directory.source(), self.directory.source()

    def test_the_address_registered_last_comes_first(self) -> None:
        self.first.discovered([found(host="10.0.0.1", age=30)])
        self.second.discovered([found(host="10.0.0.2", age=10)])
        self.assertEqual(self.heard.hosts(), ["10.0.0.2", "10.0.0.1"])
        self.clock.advance(60)
        self.first.discovered([found(host="10.0.0.3", age=0)])
        self.assertEqual(self.heard.hosts(), ["10.0.0.3", "10.0.0.2"])

    def test_an_address_that_both_know_is_one(self) -> None:
        self.first.discovered([found()])
        self.second.discovered([found()])
        self.assertEqual(self.heard.hosts(), ["10.0.0.1"])

    def test_only_what_the_server_lists_now_is_reported(self) -> None:
        self.first.discovered([found()])
        self.second.discovered([found("eve@CIC")])
        self.assertEqual(self.heard.hosts(), [])
        self.assertEqual(self.heard.hosts("eve@CIC"), ["10.0.0.1"])

    def test_what_a_server_lists_no_more_is_not_known_from_it(self) -> None:
        self.first.discovered([found(host="10.0.0.1")])
        self.first.discovered([])
        self.second.discovered([found(host="10.0.0.2")])
        self.assertEqual(self.heard.hosts(), ["10.0.0.2"])

    def test_what_is_over_is_not_joined(self) -> None:
        self.first.discovered([found(host="10.0.0.1", left=60.0)])
        self.clock.advance(61)
        self.second.discovered([found(host="10.0.0.2")])
        self.assertEqual(self.heard.hosts(), ["10.0.0.2"])

    def test_a_liar_cannot_take_an_address_away(self) -> None:
        self.first.discovered([found(host="10.0.0.1", age=50)])
        lies = [found(host=f"10.6.6.{number}", age=0, left=1e9) for number in range(50)]
        self.second.discovered(lies)
        hosts = self.heard.hosts()
        self.assertEqual(len(hosts), MAX_ADDRESSES + 1)
        self.assertIn("10.0.0.1", hosts)

    def test_liars_that_are_more_cannot_push_an_address_aside(self) -> None:
        """The first address of each server comes before the second one of any."""
        third = self.directory.source()
        self.first.discovered([found(host="10.0.0.1", age=50)])
        for number, liar in enumerate((self.second, third)):
            lies = [found(host=f"10.9.{number}.{host}") for host in (1, 2)]
            liar.discovered(lies)
        self.assertLess(self.heard.hosts().index("10.0.0.1"), 3)

    def test_a_liar_fills_its_own_room_only(self) -> None:
        self.second.discovered([found(f"x{number}@CIC") for number in range(1000)])
        self.assertEqual(len(self.heard.peers), 50)
        self.first.discovered([found()])
        self.assertEqual(self.heard.hosts(), ["10.0.0.1"])

    def test_of_a_list_that_has_no_room_every_peer_is_known_in_time(self) -> None:
        """Else who stands behind others in a long list would never be found."""
        peers = [f"p{number}@CIC" for number in range(150)]
        known: set[str] = set()
        for _ in range(40):
            self.first.discovered([found(peer) for peer in peers])
            self.assertEqual(len({peer for peer, _ in self.heard.peers}), 50)
            known |= {peer for peer, _ in self.heard.peers}
        self.assertEqual(known, set(peers))

    def test_our_own_group_comes_first_when_room_is_scarce(self) -> None:
        others = [found(f"x{number}@LAB") for number in range(1000)]
        self.first.discovered([*others, found()])
        self.assertEqual(self.heard.hosts(), ["10.0.0.1"])

    def test_of_each_server_the_last_view_of_us_counts(self) -> None:
        for ip in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            self.second.public_ip(ip)
        self.first.public_ip("198.51.100.1")
        self.assertEqual(self.heard.ips, ["198.51.100.1", "192.0.2.3"])
        self.second.public_ip("198.51.100.1")
        self.assertEqual(self.heard.ips, ["198.51.100.1"])

    def test_notices_pass(self) -> None:
        self.first.notice("warning", "x")
        self.assertEqual(self.heard.notices, [("warning", "x")])

    entries = st.builds(
        found,
        st.sampled_from(["a@CIC", "b@CIC", "c@LAB"]),
        st.sampled_from([f"10.0.0.{number}" for number in range(9)]),
        st.floats(0, 1000),
        st.floats(0, 1000),
    )

    @given(st.lists(entries, max_size=20), st.lists(entries, max_size=20))
    def test_what_one_server_lists_is_there_whatever_another_says(self, ours, theirs) -> None:
        self.setUp()
        self.second.discovered(theirs)
        self.first.discovered(ours)
        for peer in {one.peer_id for one in ours}:
            listed = sorted((one for one in ours if one.peer_id == peer), key=lambda one: one.age)
            self.assertIn(listed[0].address.host, self.heard.hosts(peer))
            self.assertLessEqual(len(self.heard.hosts(peer)), 2 * MAX_ADDRESSES)
