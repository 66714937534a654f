"""Live chat between peers: JSON lines over TCP (docs/protocols.md, section 2)."""
