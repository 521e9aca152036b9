"""Put what the commands of docs/what-if.md print below them; a test fails while the two differ.

python docs/renew_what_if.py
"""

from __future__ import annotations

from pathlib import Path

from renew_estimate import renewed

PAGE = Path(__file__).parent / "what-if.md"


def main() -> None:
    """Run every command of the page again."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
