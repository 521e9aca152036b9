"""Put what the commands of docs/audit.md print below them; a test fails while the two differ.

python docs/renew_audit.py
"""

from __future__ import annotations

from pathlib import Path

from renew_estimate import renewed

PAGE = Path(__file__).parent / "audit.md"


def main() -> None:
    """Run every command of the page again."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
