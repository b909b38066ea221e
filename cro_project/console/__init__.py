"""The admin site, the dashboard, the menu and the error pages."""
