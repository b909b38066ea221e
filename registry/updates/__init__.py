"""Apply portfolio updates: statements, period rules, standings and conflicts."""
