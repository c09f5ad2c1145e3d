"""The expressions of the language: paths, intrinsic functions, templates, JSONata, choice rules, times."""
