"""Questions to Redis that are asked together, and answers that are kept for a moment."""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.redis_lately import Lately
from p2pchat.rendezvous.redis_together import Together
from p2pchat.rendezvous.registry import RegistryUnavailableError


class TogetherTests(SynchronousTestCase):
    def setUp(self):
        self.asked = []
        self.together = Together(self.ask)

    async def ask(self, question):
        self.asked.append((question, Deferred()))
        return await self.asked[-1][1]

    def answer(self, number, answer):
        self.asked[number][1].callback(answer)

    def test_who_comes_while_an_answer_is_under_way_gets_the_next(self):
        first, *others = [self.together.ask("CIC") for _ in range(5)]
        lab = self.together.ask("lab")
        self.assertEqual([question for question, _ in self.asked], ["CIC", "lab"])
        self.answer(0, "old")
        self.assertEqual(self.successResultOf(first), "old")
        for other in others:
            self.assertNoResult(other)
        self.answer(2, "new")
        self.assertEqual([self.successResultOf(other) for other in others], ["new"] * 4)
        self.answer(1, "other")
        self.assertEqual(self.successResultOf(lab), "other")
        self.assertEqual(len(self.asked), 3)
        self.together.ask("CIC")
        self.assertEqual(len(self.asked), 4)

    def test_an_error_is_everybodys(self):
        answers = [self.together.ask(None) for _ in range(3)]
        self.asked[0][1].errback(RegistryUnavailableError())
        self.failureResultOf(answers[0], RegistryUnavailableError)
        self.asked[1][1].errback(RegistryUnavailableError())
        for answer in answers[1:]:
            self.failureResultOf(answer, RegistryUnavailableError)

    def test_who_leaves_takes_the_answer_from_nobody(self):
        first, second, third = [self.together.ask("CIC") for _ in range(3)]
        for leaving in (first, second):
            leaving.addErrback(lambda why: None)
            leaving.cancel()
        self.answer(0, "old")
        self.answer(1, "new")
        self.assertEqual(self.successResultOf(third), "new")

    def test_nobody_is_asked_for_those_who_left(self):
        first, second = [self.together.ask("CIC") for _ in range(2)]
        second.addErrback(lambda why: None)
        second.cancel()
        self.answer(0, "old")
        self.assertEqual(self.successResultOf(first), "old")
        self.assertEqual(len(self.asked), 1)


class LatelyTests(SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        self.lately = Lately(self.clock.seconds, span=60, max_cost=10)

    def values(self):
        answers = {question: self.lately.get(question) for question in "abcd"}
        return {question: answer.value for question, answer in answers.items() if answer}

    def test_what_costs_too_much_goes_the_oldest_first(self):
        for question, cost in (("a", 4), ("b", 4), ("a", 4), ("c", 4)):
            self.lately.put(question, question.upper(), cost)
        self.assertEqual(self.values(), {"a": "A", "c": "C"})
        self.lately.put("d", "D", 11)
        self.lately.put("a", "new", 10)
        self.assertEqual(self.values(), {"a": "new"})
        self.lately.put("a", "newer", 11)
        self.assertEqual(self.values(), {})

    def test_what_is_old_takes_no_room(self):
        self.lately.put("a", "A")
        self.clock.advance(60)
        self.assertEqual(self.lately.get("a"), ("A", 60.0))
        self.clock.advance(0.1)
        self.lately.put("b", "B")
        self.assertEqual(len(self.lately), 1)

    def test_what_is_dropped_takes_no_room(self):
        for _ in range(20):
            self.lately.put("a", "A", 9)
            self.lately.drop("a")
            self.lately.drop("a")
        self.lately.put("b", "B", 9)
        self.assertEqual(self.values(), {"b": "B"})
