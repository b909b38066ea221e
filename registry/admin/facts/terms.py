"""Describe the terms of a congestion point in words."""

from registry.models import CongestionPointTerms


def terms_in_words(terms: CongestionPointTerms) -> str:
    """Return terms in words, such as `day-ahead by AGR, intraday by DSO, mutex offers`."""
    parts = [f"day-ahead by {terms.day_ahead_redispatch_by}"]
    if terms.intraday_redispatch_by:
        parts.append(f"intraday by {terms.intraday_redispatch_by}")
    parts.append("mutex offers" if terms.mutex_offers_supported else "no mutex offers")
    return ", ".join(parts)
