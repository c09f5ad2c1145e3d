"""The functions: one folder for each, named verb_object, and ``shared``."""
