"""What every app may use: the clock, retries, CSV files, SQL helpers. No app, no model, no rule of the domain."""
