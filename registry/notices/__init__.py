"""Tell participants by e-mail that staff settled a conflict of theirs (docs/rules.md N1 to N3)."""
