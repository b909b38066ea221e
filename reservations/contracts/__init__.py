"""Contracts: terms, versions, power profiles."""
