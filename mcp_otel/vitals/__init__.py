"""Cheap readings of the process itself, between messages: plain numbers that instruments read later."""
