"""Apply portfolio updates: statements, rules, standings, conflicts."""
