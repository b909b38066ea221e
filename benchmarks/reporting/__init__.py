"""The figures, and how they are written: on the terminal, as a page, and as charts."""
