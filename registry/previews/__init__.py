"""What a change would do, shown before it is done."""
