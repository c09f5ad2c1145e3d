"""Steps that differ in a Django process: modules named like the functions."""
