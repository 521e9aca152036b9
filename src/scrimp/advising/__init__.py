"""What the provider itself limits, beside what scrimp does."""
