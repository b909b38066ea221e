"""The market: time zone, ISP duration, policies."""
