"""What happened, exactly and for good."""
