"""Makes `twistd p2pchat-rendezvous` known to twistd."""

from twisted.application.service import ServiceMaker

p2pchat_rendezvous = ServiceMaker(
    "p2pchat rendezvous",
    "p2pchat.rendezvous_tap",
    "A rendezvous server: tells the nodes of a network who else is there.",
    "p2pchat-rendezvous",
)
