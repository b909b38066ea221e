"""SQL that updates and decisions share: kinds of claims, replacement, staging and kept plans."""
