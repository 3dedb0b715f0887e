"""What the support desk knows: articles and tickets, in SQLite in memory."""

from __future__ import annotations

import sqlite3
from threading import Lock

SUBJECTS = ("printer", "password", "invoice", "delivery", "refund", "account", "router", "warranty")
ARTICLES = 400
Row = tuple[int, str, str]


class Shelf:
    """Articles and tickets; any thread may ask."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows = sqlite3.connect(":memory:", check_same_thread=False)
        self._rows.executescript(
            "create table articles (number integer primary key, title text, text text);"
            "create table tickets (number integer primary key, customer text, subject text);"
            "create index by_customer on tickets (customer)"
        )
        for number in range(ARTICLES):
            subject = SUBJECTS[number % len(SUBJECTS)]
            text = f"What to do when the {subject} does not do what it should, part {number}. " * 4
            self._rows.execute("insert into articles values (?, ?, ?)", (number, f"About the {subject}", text))

    def find(self, words: str, limit: int) -> list[Row]:
        """Articles with `words` in them, at most `limit` of them; -1 for all."""
        return self._ask("select number, title, text from articles where text like ? limit ?", f"%{words}%", limit)

    def text(self, number: int) -> str:
        """One article; empty when there is none."""
        return next((text for _, _, text in self._ask("select * from articles where number = ?", number)), "")

    def of(self, customer: str) -> list[Row]:
        """The last twenty tickets of `customer`."""
        return self._ask("select * from tickets where customer = ? order by number desc limit 20", customer)

    def add(self, customer: str, subject: str) -> int:
        """Keep a ticket; its number."""
        with self._lock:
            cursor = self._rows.execute("insert into tickets (customer, subject) values (?, ?)", (customer, subject))
            return cursor.lastrowid or 0

    def _ask(self, query: str, *values: object) -> list[Row]:
        with self._lock:
            return self._rows.execute(query, values).fetchall()
