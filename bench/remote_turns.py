"""remote_turns.py - who goes first changes, and how long it took"""
import time


def timed(work, *arguments):
    begun = time.monotonic()
    work(*arguments)
    return time.monotonic() - begun


def turned(contenders, turn):
    """The items of a dictionary, from another one on each turn."""
    items = list(contenders.items())
    first = turn * 2 % len(items)
    return items[first:] + items[:first]
