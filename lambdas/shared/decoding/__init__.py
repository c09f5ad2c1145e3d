"""Decodes files in a process of its own, so that no decoder's crash, hang or hunger takes the function with it.

``jobs`` is the contract between the two sides, ``process`` the function's side, ``worker`` the decoding one.
"""
