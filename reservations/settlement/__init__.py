"""Settlement: remaining power, energy, and the export."""
