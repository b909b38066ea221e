"""The protocol itself: schemas, parsing, rendering, sealing. Imports no Django."""
