"""Decodes files in a process of its own, so that a decoder's crash, hang or hunger never ends the function.

``job`` is the contract between the two sides. ``decoder`` is the function's side, with ``child_process`` for one of its
processes; ``worker`` is what runs there. ``wire`` is what they send each other, ``confinement`` what is forbidden.
"""
