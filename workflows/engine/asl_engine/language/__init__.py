"""Expressions: paths, intrinsic functions, templates, JSONata, choice rules, times."""
