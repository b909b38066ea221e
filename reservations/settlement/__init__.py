"""What remains reserved, as energy, and its export."""
