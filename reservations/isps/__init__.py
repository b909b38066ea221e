"""ISPs: their number in a day, their start, and their clock times."""
