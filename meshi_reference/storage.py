"""The database: schema, connection and transactions.

One connection belongs to the event loop's thread. Transactions are short and never wait for anything, so
requests interleave between them; what must be unique is unique by constraint. Rows are identified inside by
integers (`seq`), which never leave the server. Times are microseconds since 1970 (UTC).
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .settings import Settings

Row = sqlite3.Row

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_keys (
    key_hash TEXT PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    org_id TEXT,
    principal_type TEXT NOT NULL,
    user_id TEXT NOT NULL,
    scopes TEXT NOT NULL,
    active INTEGER NOT NULL,
    disabled INTEGER NOT NULL,
    probe INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY,
    org_id TEXT NOT NULL,
    event_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    event_details TEXT,
    objectives TEXT,
    welcome_instructions TEXT,
    start_date TEXT,
    end_date TEXT,
    timezone TEXT,
    visibility TEXT,
    url_slug TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (org_id, event_id)
);
CREATE INDEX IF NOT EXISTS events_by_creation ON events (org_id, created_at, seq);
CREATE TABLE IF NOT EXISTS sessions (
    seq INTEGER PRIMARY KEY,
    org_id TEXT NOT NULL,
    event_seq INTEGER NOT NULL REFERENCES events (seq),
    session_id TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT,
    start_timestamp TEXT,
    end_timestamp TEXT,
    start_sort INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (org_id, session_id)
);
CREATE INDEX IF NOT EXISTS sessions_by_start ON sessions (event_seq, start_sort, session_id);
CREATE TABLE IF NOT EXISTS attendees (
    seq INTEGER PRIMARY KEY,
    org_id TEXT NOT NULL,
    event_seq INTEGER NOT NULL REFERENCES events (seq),
    attendee_id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT,
    linkedin_url TEXT,
    title TEXT,
    company TEXT,
    raw_data TEXT,
    email_key TEXT,
    linkedin_key TEXT,
    name_company_key TEXT,
    profile TEXT,
    person_seq INTEGER,
    merged_into INTEGER REFERENCES attendees (seq),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (event_seq, attendee_id)
);
CREATE INDEX IF NOT EXISTS attendees_by_id ON attendees (org_id, attendee_id);
CREATE INDEX IF NOT EXISTS attendees_by_email ON attendees (event_seq, email_key, seq)
    WHERE email_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS attendees_by_linkedin ON attendees (event_seq, linkedin_key, seq)
    WHERE linkedin_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS attendees_by_name_company ON attendees (event_seq, name_company_key, seq)
    WHERE name_company_key IS NOT NULL;
CREATE TABLE IF NOT EXISTS runs (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL,
    event_seq INTEGER REFERENCES events (seq),
    kind TEXT NOT NULL,
    key_space TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    status TEXT NOT NULL,
    progress TEXT NOT NULL,
    error TEXT,
    options TEXT NOT NULL,
    checkpoint TEXT NOT NULL,
    snapshot_metadata TEXT NOT NULL,
    version_metadata TEXT NOT NULL,
    webhook_url TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    started_at INTEGER,
    terminal_at INTEGER,
    UNIQUE (org_id, key_space, idempotency_key)
);
CREATE INDEX IF NOT EXISTS runs_by_creation ON runs (org_id, created_at, seq);
CREATE INDEX IF NOT EXISTS runs_by_event ON runs (event_seq, kind, terminal_at);
CREATE INDEX IF NOT EXISTS runs_open ON runs (seq) WHERE terminal_at IS NULL;
CREATE TABLE IF NOT EXISTS run_inputs (
    run_seq INTEGER NOT NULL REFERENCES runs (seq),
    position INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run_seq, position)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS matches (
    run_seq INTEGER NOT NULL REFERENCES runs (seq),
    principal_seq INTEGER NOT NULL REFERENCES attendees (seq),
    target_seq INTEGER NOT NULL REFERENCES attendees (seq),
    principal_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    final_score REAL NOT NULL,
    scores TEXT NOT NULL,
    input_hash TEXT NOT NULL,
    computed_at INTEGER NOT NULL,
    PRIMARY KEY (run_seq, principal_id, target_id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS matches_by_score ON matches (run_seq, final_score DESC, principal_id, target_id);
CREATE INDEX IF NOT EXISTS matches_by_principal
    ON matches (run_seq, principal_id, final_score DESC, target_id);
CREATE INDEX IF NOT EXISTS matches_by_principal_seq ON matches (principal_seq);
CREATE INDEX IF NOT EXISTS matches_by_target_seq ON matches (target_seq);
CREATE TABLE IF NOT EXISTS reviews (
    seq INTEGER PRIMARY KEY,
    review_id TEXT NOT NULL UNIQUE,
    org_id TEXT NOT NULL,
    event_seq INTEGER NOT NULL REFERENCES events (seq),
    kind TEXT NOT NULL,
    subject_seq INTEGER NOT NULL REFERENCES attendees (seq),
    candidate_seq INTEGER NOT NULL REFERENCES attendees (seq),
    low_seq INTEGER NOT NULL,
    high_seq INTEGER NOT NULL,
    signals TEXT NOT NULL,
    status TEXT NOT NULL,
    decision TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (kind, low_seq, high_seq)
);
CREATE INDEX IF NOT EXISTS reviews_by_creation ON reviews (org_id, status, created_at, seq);
CREATE INDEX IF NOT EXISTS reviews_by_event ON reviews (event_seq, status, created_at, seq);
CREATE INDEX IF NOT EXISTS reviews_by_subject ON reviews (subject_seq, status);
CREATE INDEX IF NOT EXISTS reviews_by_candidate ON reviews (candidate_seq, status);
CREATE TABLE IF NOT EXISTS identity_history (
    seq INTEGER PRIMARY KEY,
    attendee_seq INTEGER NOT NULL REFERENCES attendees (seq),
    review_id TEXT NOT NULL,
    action TEXT NOT NULL,
    other_id TEXT NOT NULL,
    reason TEXT,
    created_at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_attendee ON identity_history (attendee_seq, created_at, seq);
"""

CLOCK_COLUMNS = (
    ("events", "updated_at"),
    ("sessions", "updated_at"),
    ("attendees", "updated_at"),
    ("runs", "updated_at"),
    ("reviews", "updated_at"),
    ("identity_history", "created_at"),
)


class StorageError(Exception):
    """The database cannot be used; the message says why, for people."""


class Storage:
    """One SQLite connection with short transactions."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._depth = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all or nothing. Nested use joins the outer transaction. Do not await inside."""
        if self._depth:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # on a full disk SQLite may have rolled back by itself
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement."""
        return self.connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        self.connection.executemany(sql, rows)

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> Row | None:
        """Return the first row, or None."""
        row: Row | None = self.connection.execute(sql, parameters).fetchone()
        return row

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Return all rows."""
        return self.connection.execute(sql, parameters).fetchall()

    def scalar(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = self.one(sql, parameters)
        return None if row is None else row[0]

    def insert(self, table: str, values: dict[str, Any], or_ignore: bool = False) -> int | None:
        """Insert a row and return its `seq`, or None where a unique constraint refused it and `or_ignore` is set.

        Without `or_ignore` a violation raises sqlite3.IntegrityError.
        """
        verb = "INSERT OR IGNORE" if or_ignore else "INSERT"
        sql = f"{verb} INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})"
        cursor = self.connection.execute(sql, tuple(values.values()))
        return cursor.lastrowid if cursor.rowcount else None

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def open_storage(settings: Settings) -> Storage:
    """Open the database and create what is missing. Raise StorageError with a message for people."""
    try:
        if settings.db is not None:
            # Keys' hashes and people's data: for the owner alone. SQLite gives its other files the same mode.
            os.close(os.open(settings.db, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            settings.db or ":memory:", isolation_level=None, check_same_thread=False, timeout=1.0
        )
        connection.row_factory = sqlite3.Row
        if settings.db is not None:
            # A second server on the same file would run every unfinished run twice.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript("BEGIN IMMEDIATE;" + SCHEMA + "COMMIT;")
    except (sqlite3.Error, OSError) as error:
        raise StorageError(f"cannot use the database {settings.db or ':memory:'}: {error}") from None
    return Storage(connection)


def latest_time(storage: Storage) -> int:
    """Return the newest time in the database, so that the clock goes on from there."""
    return max(storage.scalar(f"SELECT max({column}) FROM {table}") or 0 for table, column in CLOCK_COLUMNS)


def cursor_secret(storage: Storage) -> bytes:
    """Return the key that signs page cursors; made once for a database."""
    with storage.transaction():
        storage.execute(
            "INSERT OR IGNORE INTO meta (name, value) VALUES ('cursor_secret', ?)", (secrets.token_hex(16),)
        )
    return bytes.fromhex(storage.scalar("SELECT value FROM meta WHERE name = 'cursor_secret'"))


def unfinished_runs(storage: Storage) -> list[tuple[int, int | None]]:
    """Return the sequence numbers of the runs that have not ended, each with its event's, oldest first."""
    rows = storage.all("SELECT seq, event_seq FROM runs WHERE terminal_at IS NULL ORDER BY seq")
    return [(row["seq"], row["event_seq"]) for row in rows]
