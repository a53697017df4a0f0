"""The paper's table, measured on the device at hand."""
