"""The claims of docs/myths.md and the code that is run for them; `docs/renew_myths.py` writes the page."""
