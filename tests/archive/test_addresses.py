"""Addresses from peer lists: which are worth a try, and in which order."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.archive.addresses import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    MAX_FAILED,
    MAX_OWN,
    MAX_TAKEN_A_MINUTE,
    MAX_WAITING,
    AddressBook,
    is_plausible,
)


def many(count: int, network: int = 20) -> list[str]:
    return [f"{network}.{at >> 16}.{at >> 8 & 255}.{at & 255}" for at in range(count)]


class PlausibleTests(SynchronousTestCase):
    def test_where_a_peer_can_be(self) -> None:
        for address in ("1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.0", "223.255.255.255"):
            for on_loopback in (False, True):
                self.assertTrue(is_plausible(address, on_loopback=on_loopback))

    def test_where_it_cannot(self) -> None:
        for address in ("0.0.0.0", "0.255.255.255", "224.0.0.0", "240.1.2.3", "255.255.255.255"):
            for on_loopback in (False, True):
                self.assertFalse(is_plausible(address, on_loopback=on_loopback))

    def test_on_loopback_only_if_we_are(self) -> None:
        for address in ("127.0.0.0", "127.0.0.1", "127.255.255.255"):
            self.assertTrue(is_plausible(address, on_loopback=True))
            self.assertFalse(is_plausible(address, on_loopback=False))


class BookCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.book = AddressBook()
        self.minutes = 0

    def listed(self, by: str, *addresses: str, now: float = 0.0) -> None:
        self.book.listed(by, addresses, now, on_loopback=False)

    def fill(self, by: str, *addresses: str) -> None:
        """List as many addresses as are taken, each minute again."""
        for start in range(0, len(addresses), MAX_TAKEN_A_MINUTE):
            self.minutes += 1
            part = addresses[start : start + MAX_TAKEN_A_MINUTE]
            self.listed(by, *part, now=60.0 * self.minutes)

    def drained(self) -> list[str]:
        """Return all that waits, in order."""
        addresses = []
        while (address := self.book.next()) is not None:
            addresses.append(address)
        return addresses


class OrderTests(BookCase):
    def test_each_address_once_in_the_order_of_its_list(self) -> None:
        self.listed("bob", "1.0.0.1", "1.0.0.2", "1.0.0.1")
        self.listed("bob", "1.0.0.2", "1.0.0.3")
        self.assertEqual(len(self.book), 3)
        self.assertEqual(self.drained(), ["1.0.0.1", "1.0.0.2", "1.0.0.3"])
        self.assertEqual(len(self.book), 0)

    def test_lists_take_turns(self) -> None:
        self.listed("bob", *many(3, 1))
        self.listed("carol", *many(2, 2))
        self.listed("dave", *many(1, 3))
        networks = [address.partition(".")[0] for address in self.drained()]
        self.assertEqual(networks, ["1", "2", "3", "1", "2", "1"])

    def test_whoever_is_listed_by_many_waits_for_none_of_them(self) -> None:
        self.listed("bob", *many(99), "1.0.0.1")
        self.listed("carol", "1.0.0.1")
        self.assertEqual(self.book.next(), "20.0.0.0")
        self.assertEqual(self.book.next(), "1.0.0.1")

    def test_ours_and_what_cannot_be_is_left_out(self) -> None:
        self.book.ourselves("1.0.0.1")
        self.listed("bob", "1.0.0.1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "1.0.0.2")
        self.assertEqual(self.drained(), ["1.0.0.2"])


class BoundTests(BookCase):
    def test_no_more_than_so_many_wait(self) -> None:
        self.fill("bob", *many(MAX_WAITING + 500))
        self.assertEqual(self.drained(), many(MAX_WAITING))

    def test_the_longest_list_makes_room_at_its_end(self) -> None:
        self.fill("bob", *many(MAX_WAITING))
        self.listed("carol", "1.0.0.1", "1.0.0.2")
        drained = self.drained()
        self.assertEqual(drained[1], "1.0.0.1")
        self.assertEqual(drained[3], "1.0.0.2")
        self.assertEqual(len(drained), MAX_WAITING)
        self.assertNotIn(many(MAX_WAITING)[-1], drained)

    def test_down_to_equal_shares(self) -> None:
        for number in range(1, 5):
            self.fill(str(number), *many(MAX_WAITING, number))
        drained = self.drained()
        self.assertEqual(len(drained), MAX_WAITING)
        for number in range(1, 5):
            share = sum(address.startswith(f"{number}.") for address in drained)
            self.assertTrue(MAX_WAITING / 4 - 2 <= share <= MAX_WAITING / 4 + 2, share)

    def test_few_of_one_list_are_taken_in_a_minute(self) -> None:
        for start in (0, 50, 150):
            self.listed("bob", *many(500)[start:], now=float(start / 10))
        self.listed("carol", "1.0.0.1")
        taken = self.drained()
        self.assertEqual(sorted(taken), sorted(["1.0.0.1", *many(MAX_TAKEN_A_MINUTE)]))
        self.listed("bob", "1.0.0.2", now=59.9)
        self.assertEqual(self.drained(), [])
        self.listed("bob", "1.0.0.2", now=60.0)
        self.assertEqual(self.drained(), ["1.0.0.2"])

    def test_what_is_not_taken_counts_for_nothing(self) -> None:
        self.book.failed("1.0.0.1", 0.0)
        self.listed("bob", *(["1.0.0.1", "0.0.0.0"] * MAX_TAKEN_A_MINUTE), "1.0.0.2")
        self.assertEqual(self.drained(), ["1.0.0.2"])

    def test_long_pauses_outlast_ten_thousand_other_failures(self) -> None:
        for number in range(6):
            self.book.failed("1.0.0.1", float(number))
        for address in many(MAX_FAILED + 10):
            self.book.failed(address, 10.0)
        self.listed("bob", "1.0.0.1", now=1000.0)
        self.assertEqual(self.drained(), [])

    def test_our_own_addresses_are_bounded(self) -> None:
        for address in many(2 * MAX_OWN):
            self.book.ourselves(address)
        self.assertEqual(len(self.book.own), MAX_OWN)

    def test_failures_are_bounded_and_the_oldest_forgotten(self) -> None:
        first, *others = many(MAX_FAILED + 1)
        for address in (first, *others):
            self.book.failed(address, 0.0)
        self.listed("bob", first, others[0], others[-1])
        self.assertEqual(self.drained(), [first])

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["list", "next", "failed", "reached"]),
                st.integers(0, 5),
                st.integers(0, 400),
            ),
            max_size=60,
        )
    )
    def test_it_counts_right(self, acts: list[tuple[str, int, int]]) -> None:
        self.book = AddressBook()
        addresses = many(400)
        for act, who, number in acts:
            match act:
                case "list":
                    self.listed(str(who), *addresses[number:], now=1.0)
                case "next":
                    self.book.next()
                case "failed":
                    self.book.failed(addresses[number % 400], 1.0)
                case "reached":
                    self.book.reached(addresses[number % 400])
        count = len(self.book)
        self.assertLessEqual(count, MAX_WAITING)
        self.assertEqual(len(self.drained()), count)


class FailureTests(BookCase):
    ADDRESS = "1.0.0.1"

    def pause(self, now: float) -> float:
        """Let the address fail; return how long it is left alone."""
        self.book.failed(self.ADDRESS, now)
        low, high = 0.0, 2 * LONGEST_PAUSE
        while high - low > 0.5:
            middle = (low + high) / 2
            self.listed("bob", self.ADDRESS, now=now + middle)
            low, high = (low, middle) if self.drained() else (middle, high)
        return high

    def test_pauses_double_up_to_an_hour(self) -> None:
        pauses = [round(self.pause(now=10_000.0 * number)) for number in range(8)]
        self.assertEqual(pauses, [60, 120, 240, 480, 960, 1920, 3600, 3600])
        self.assertEqual((FIRST_PAUSE, LONGEST_PAUSE), (60, 3600))

    def test_reached_they_are_forgotten(self) -> None:
        self.pause(0.0)
        self.pause(1000.0)
        self.book.reached(self.ADDRESS)
        self.listed("bob", self.ADDRESS, now=1001.0)
        self.assertEqual(self.drained(), [self.ADDRESS])
        self.assertEqual(round(self.pause(2000.0)), 60)

    def test_what_failed_waits_in_no_list_any_more(self) -> None:
        self.listed("bob", self.ADDRESS)
        self.listed("carol", self.ADDRESS, "1.0.0.2")
        self.book.next()
        self.book.failed(self.ADDRESS, 0.0)
        self.assertEqual(self.drained(), ["1.0.0.2"])
