"""Pure: from many opinions to one bounded wish."""
