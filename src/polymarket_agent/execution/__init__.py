"""Makes a wish happen and knows the truth about orders."""
