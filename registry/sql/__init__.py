"""The SQL that updates and decisions share."""
