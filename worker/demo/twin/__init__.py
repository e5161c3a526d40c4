"""A stand-in for V7 Darwin's HTTP API, built from its documentation alone.

It shares no code with the worker it judges. ``handle`` in :mod:`~worker.demo.twin.twin` is the whole of it as plain
Python, with the time passed in; :mod:`~worker.demo.twin.server` puts it on a port.
"""
