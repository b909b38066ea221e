"""The screens for one day or month of a contract."""
