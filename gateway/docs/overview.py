"""What the documentation begins with: the quick start and the rules of the whole API, in Indonesian and briefly in English."""

from __future__ import annotations

from importlib import resources


def overview() -> str:
    """The text, in Markdown; the page puts its own address in the place of `GATEWAY`."""
    return (resources.files(__package__) / "overview.md").read_text("utf-8").strip()


GATEWAY = "https://gateway.example"
"""Where the gateway is, in the text of the contract: the committed contract is of no installation."""
