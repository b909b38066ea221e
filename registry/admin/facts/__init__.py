"""The screens for facts: terms, memberships, representations."""
