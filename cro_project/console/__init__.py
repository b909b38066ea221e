"""The admin site itself: dashboard, menu, error pages."""
