"""Decodes files in separate processes, so that no crash ends the function.

``job`` is the contract between the two sides. ``decoder`` is the function's side, with ``child_process`` for one
process; ``worker`` runs in that process. ``wire`` is their protocol, ``confinement`` the filter of system calls.
"""
