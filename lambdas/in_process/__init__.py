"""Steps as a Django process runs them itself, where that differs from Lambda: a module each, named as the function."""
