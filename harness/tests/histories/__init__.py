"""Golden histories, by the group of rules that they are about."""
