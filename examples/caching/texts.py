"""Long texts for the recipes: what an agent of yours would read from files."""

from __future__ import annotations

__all__ = ["CONTRACT", "EXAMPLES", "RULES", "customer_file"]

_CLAUSES = [
    "The tenant pays the rent on the third working day of each month; what comes later counts for the next.",
    "Repairs that cost less than a hundred a year are the tenant's; all others are the landlord's.",
    "Either side may end the contract with three months' notice, in writing, to the end of a month.",
    "The deposit is three months' rent without costs; it is paid back within six months of moving out.",
    "Pets other than small animals need the landlord's consent, which is given unless there is a reason.",
    "Subletting a part of the flat is allowed when the landlord is told the name; the whole flat is not.",
    "The heating is on from October to April; below sixteen degrees it is on whatever the month.",
    "The landlord may visit once a year, and whenever there is a reason, after asking three days before.",
]

CONTRACT = "\n\n".join(f"§ {number + 1}. {_CLAUSES[number % len(_CLAUSES)]}" for number in range(64))
"""About two thousand tokens."""

RULES = "\n".join(
    f"{number + 1}. {rule}"
    for number, rule in enumerate(
        [
            "Answer in the customer's language, in at most a hundred words.",
            "Name the clause of the contract that an answer rests on.",
            "Say so when the contract does not answer the question; do not guess.",
            "Never give the name, address or number of another customer.",
            "Amounts and dates are quoted as they stand, never rounded.",
            "A complaint gets an apology first, and a date by which somebody will call.",
        ]
        * 12
    )
)
"""About a thousand tokens."""

EXAMPLES = "\n\n".join(
    f"Question: may I keep a {animal}?\nAnswer: A {animal} needs the landlord's consent (§ 5)."
    for animal in ["dog", "cat", "parrot", "pony", "ferret", "python", "goat", "tortoise"] * 5
)
"""About a thousand tokens."""


def customer_file(name: str) -> str:
    """What is known of one customer, about a thousand tokens."""
    notes = (f"Note {number}: {name} called about {_CLAUSES[number % 8].lower()}" for number in range(40))
    return "\n".join([f"Customer: {name}", *notes])
