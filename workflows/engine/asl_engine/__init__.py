"""The Amazon States Language, embedded: a pure core, a store and a runner around it, and AWS's own API in front.

``core.advance`` is a function from what is saved and one event to what is saved next and what to do.
It knows no clock, thread, file or service; those are the runner's, the store's and the adapters'.
"""
