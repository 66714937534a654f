"""Answers that are kept for a second."""

from twisted.trial.unittest import SynchronousTestCase

from p2pchat.rendezvous.lines import Lines


class LinesTests(SynchronousTestCase):
    def setUp(self):
        self.lines = Lines(max_size=10)
        self.lines.begin(7)
        self.lines.put("CIC", b"cic")
        self.lines.put("lab", b"lab")
        self.lines.put(None, b"all")

    def kept(self):
        return [self.lines.get(namespace) for namespace in ("CIC", "lab", None)]

    def test_are_kept_for_the_second_that_they_were_written_in(self):
        self.lines.begin(7)
        self.assertEqual(self.kept(), [b"cic", b"lab", b"all"])
        self.lines.begin(8)
        self.assertEqual(self.kept(), [None, None, None])

    def test_a_change_of_a_namespace_concerns_what_lists_it(self):
        self.lines.drop("CIC")
        self.assertEqual(self.kept(), [None, b"lab", None])
        self.lines.drop("nobody")
        self.assertEqual(self.kept(), [None, b"lab", None])

    def test_have_so_many_bytes_at_the_most(self):
        self.lines.put("big", b"xx")
        self.assertIsNone(self.lines.get("big"))
        self.lines.drop("CIC")
        self.lines.put("big", b"x" * 8)
        self.assertIsNone(self.lines.get("big"))
        self.lines.put("big", b"x" * 7)
        self.assertEqual((len(self.lines), self.lines.get("big")), (2, b"x" * 7))

    def test_another_second_has_all_the_room(self):
        self.lines.begin(8)
        self.lines.put(None, b"x" * 10)
        self.assertEqual(self.lines.get(None), b"x" * 10)
