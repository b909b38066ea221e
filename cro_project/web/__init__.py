"""What the web process answers besides pages: health, plain lines."""
