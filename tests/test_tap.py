"""What the plugin does before there is a node."""

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

#: In a process of its own, as a reactor is chosen once and for all.
_CHOOSE = """
import time
from p2pchat.tap import _install_reactor
_install_reactor()
from twisted.internet import reactor
ran = []
reactor.callLater(0.01, lambda: (ran.append(1), reactor.stop()))
reactor.run()
print(type(reactor).__mro__[1].__name__, len(ran), abs(reactor.seconds() - time.monotonic()) < 5)
"""


class ReactorTests(SynchronousTestCase):
    def test_its_time_is_monotonic_so_that_setting_the_clock_stops_no_timer(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", _CHOOSE], capture_output=True, text=True, timeout=30
        )
        self.assertEqual(done.stdout.split(), ["AsyncioSelectorReactor", "1", "True"], done.stderr)
