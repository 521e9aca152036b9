"""The page of `scrimp audit`: one file, no network, light and dark, fit for a phone and for paper."""
