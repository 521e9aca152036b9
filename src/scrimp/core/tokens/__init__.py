"""Token estimates: what a prompt will be billed, before the bill, and what each bill teaches."""

from scrimp.core.tokens.estimator import Estimate, Estimator, Ruler, Settings, Sized, read_settings
from scrimp.core.tokens.judged import JUDGED_FROM, why_not_judged
from scrimp.core.tokens.learner import Learner, Ratios

__all__ = [
    "JUDGED_FROM",
    "Estimate",
    "Estimator",
    "Learner",
    "Ratios",
    "Ruler",
    "Settings",
    "Sized",
    "read_settings",
    "why_not_judged",
]
