"""Makes `twistd p2pchat` known to twistd."""

from twisted.application.service import ServiceMaker

p2pchat = ServiceMaker(
    "p2pchat",
    "p2pchat.tap",
    "A chat node without a server in the middle.",
    "p2pchat",
)
