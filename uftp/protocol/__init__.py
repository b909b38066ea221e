"""The protocol: schemas, parsing, rendering and sealing. This package imports no Django."""
