"""A chat node without a server in the middle: live chat between peers, on Twisted."""

__version__ = "0.1.0"
