"""What is kept between calls: the ledger of billed attempts, and exchanges where capture is switched on.

Nothing is read or written before the first use of a store, and importing this package opens nothing.
"""
