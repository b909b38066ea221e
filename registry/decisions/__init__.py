"""What staff decide: settle, adjust, reverse."""
