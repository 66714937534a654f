"""The figures of a rendezvous server."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.metrics.lateness import Lateness
from p2pchat.metrics.rendezvous import CENSUS_TIME, MAX_NAMESPACES, RendezvousMetrics, by_namespace
from p2pchat.rendezvous.messages import Register
from p2pchat.rendezvous.registry import MemoryRegistry, RegistryUnavailableError
from p2pchat.rendezvous.server import RendezvousFactory
from p2pchat.rendezvous.tally import REASONS
from p2pchat.text import is_printable
from tests.test_metrics import Samples, samples


class NamespaceTests(SynchronousTestCase):
    def test_the_largest_and_the_rest(self) -> None:
        census = {f"n{number}": number for number in range(1, 101)}
        found = by_namespace(census)
        self.assertEqual(found["n100"], 100)
        self.assertEqual(found["n51"], 51)
        self.assertNotIn("n50", found)
        self.assertEqual(found["other"], sum(range(1, 51)))

    def test_one_that_is_called_other_is_of_the_rest(self) -> None:
        self.assertEqual(by_namespace({"other": 5, "CIC": 2}), {"CIC": 2, "other": 5})

    @given(st.dictionaries(st.text(min_size=1), st.integers(1, 1000), max_size=80))
    def test_none_is_lost_none_looks_like_another_and_they_are_few(
        self, census: dict[str, int]
    ) -> None:
        found = by_namespace(census)
        self.assertEqual(sum(found.values()), sum(census.values()))
        self.assertLessEqual(len(found), MAX_NAMESPACES + 1)
        self.assertTrue(all(is_printable(label) for label in found))
        self.assertTrue(all(count >= 0 for count in found.values()))


class ServerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock: Any = Clock()
        self.registry: Any = MemoryRegistry(self.clock.seconds)
        self.server = RendezvousFactory(self.clock, self.registry)
        self.metrics = RendezvousMetrics(self.clock, self.server, Lateness(self.clock))

    def gather(self) -> Samples:
        return samples(self.successResultOf(ensureDeferred(self.metrics.metrics())))

    def test_before_anything_happened(self) -> None:
        found = self.gather()
        for reason in REASONS:
            name = "p2pchat_rendezvous_connections_refused_total"
            self.assertEqual(found[name, (reason,)], 0)
        self.assertEqual(found["p2pchat_rendezvous_registrations", ("other",)], 0)
        self.assertEqual(found["p2pchat_rendezvous_connections_open", ()], 0)

    def test_what_was_counted(self) -> None:
        for name in ("ana", "bob"):
            registration = Register("CIC", name, 4000, 60)
            self.successResultOf(ensureDeferred(self.registry.register("10.0.0.1", registration)))
        self.server.admit("10.0.0.1", 1)
        self.server.tally.answered("register", "ok", 0.003)
        self.server.tally.refused["blocked"] += 2
        self.server.tally.failures += 1
        found = self.gather()
        for name, labels, value in (
            ("registrations", ("CIC",), 2),
            ("namespaces", (), 1),
            ("requests_total", ("register", "ok"), 1),
            ("request_duration_seconds_bucket", ("0.0025",), 0),
            ("request_duration_seconds_bucket", ("0.005",), 1),
            ("connections_accepted_total", (), 1),
            ("connections_open", (), 1),
            ("connections_refused_total", ("blocked",), 2),
            ("registry_errors_total", ("failure",), 1),
        ):
            self.assertEqual(found[f"p2pchat_rendezvous_{name}", labels], value, name)

    def test_a_registry_that_is_away_leaves_out_what_it_knows_and_nothing_else(self) -> None:
        self.patch(self.registry, "census", lambda: _fail(RegistryUnavailableError()))
        found = self.gather()
        self.assertNotIn("p2pchat_rendezvous_namespaces", {name for name, _ in found})
        self.assertEqual(found["p2pchat_rendezvous_registry_errors_total", ("unavailable",)], 1)

    def test_one_that_does_not_answer_is_waited_for_no_longer_than_that(self) -> None:
        self.patch(self.registry, "census", lambda: _wait(Deferred()))
        gathering = ensureDeferred(self.metrics.metrics())
        self.clock.advance(CENSUS_TIME - 0.1)
        self.assertNoResult(gathering)
        self.clock.advance(0.1)
        found = samples(self.successResultOf(gathering))
        self.assertIn(("p2pchat_rendezvous_connections_open", ()), found)

    def test_names_are_as_prometheus_would_have_them(self) -> None:
        families = self.successResultOf(ensureDeferred(self.metrics.metrics()))
        page = generate_latest(_Collected(families)).decode()
        names = Counter(family.name for family in text_string_to_metric_families(page))
        self.assertEqual(set(names.values()), {1})
        for name in names:
            self.assertTrue(name.startswith("p2pchat_"), name)


class _Collected:
    def __init__(self, families: Any) -> None:
        self._families = families

    def collect(self) -> Any:
        return self._families


async def _fail(error: Exception) -> None:
    raise error


async def _wait(deferred: "Deferred[None]") -> None:
    await deferred
