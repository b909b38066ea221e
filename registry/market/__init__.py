"""The market's time zone and ISP duration, and the operator's policies."""
