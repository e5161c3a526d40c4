"""Decisions: plain values in, plain values out. No I/O, no clock, no environment, no log, no metric."""
