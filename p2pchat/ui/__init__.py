"""The faces of a node: commands, and the consoles that read and print them."""
