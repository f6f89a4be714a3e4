-- Times are milliseconds since 1970, UTC. An index on a column that a rotation changes would make every rotation
-- pay for it: sessions have none.

-- Values that all nodes share.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: an id is never used twice, so a token of a deleted user never speaks for another.
CREATE TABLE users (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    username        TEXT    NOT NULL,
    username_key    TEXT    NOT NULL UNIQUE,
    email           TEXT    NOT NULL,
    email_key       TEXT    NOT NULL,
    first_name      TEXT    NOT NULL,
    last_name       TEXT    NOT NULL,
    password        TEXT    NOT NULL,
    password_cost   TEXT    NOT NULL,
    is_active       INTEGER NOT NULL CHECK (is_active IN (0, 1)),
    is_staff        INTEGER NOT NULL CHECK (is_staff IN (0, 1)),
    is_superuser    INTEGER NOT NULL CHECK (is_superuser IN (0, 1)),
    joined_at       INTEGER NOT NULL,
    last_login_at   INTEGER,
    failures        INTEGER NOT NULL DEFAULT 0,
    last_failure_at INTEGER,
    fields          TEXT    NOT NULL
) STRICT;
CREATE INDEX users_by_email ON users (email_key) WHERE email_key <> '';
CREATE INDEX users_by_password_cost ON users (password_cost);

-- Where a user has logged in from; the newest few.
CREATE TABLE known_networks (
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    network       TEXT    NOT NULL,
    last_login_at INTEGER NOT NULL,
    PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;

-- No foreign key to users: the sessions of a deleted user stay for a while, to say why their tokens are refused.
-- The id is a UUIDv7, so rows lie in the order of their birth.
CREATE TABLE sessions (
    id                 BLOB    PRIMARY KEY CHECK (length(id) = 16),
    user_id            INTEGER NOT NULL,
    delivery           TEXT    NOT NULL,
    remember           INTEGER NOT NULL CHECK (remember IN (0, 1)),
    created_at         INTEGER NOT NULL,
    ends_at            INTEGER NOT NULL,
    generation         INTEGER NOT NULL,
    rotated_at         INTEGER NOT NULL,
    refresh_expires_at INTEGER NOT NULL,
    ip                 TEXT,
    user_agent         TEXT,
    replay_keys        BLOB    NOT NULL,
    ended_at           INTEGER,
    end_reason         TEXT,
    CHECK ((ended_at IS NULL) = (end_reason IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX sessions_by_end ON sessions (ended_at) WHERE ended_at IS NOT NULL;

-- How many sessions nobody has ended: counting them would mean to read them all.
CREATE TABLE open_sessions (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    count    INTEGER NOT NULL
) STRICT;
INSERT INTO open_sessions (only_row, count) VALUES (1, 0);
CREATE TRIGGER session_starts AFTER INSERT ON sessions WHEN NEW.ended_at IS NULL
BEGIN
    UPDATE open_sessions SET count = count + 1;
END;
CREATE TRIGGER session_ends AFTER UPDATE OF ended_at ON sessions WHEN OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
BEGIN
    UPDATE open_sessions SET count = count - 1;
END;
CREATE TRIGGER session_goes AFTER DELETE ON sessions WHEN OLD.ended_at IS NULL
BEGIN
    UPDATE open_sessions SET count = count - 1;
END;

-- What every node has to know at once. One writer at a time: the order of numbers is the order of commits.
CREATE TABLE news (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    session_id BLOB,
    user_id    INTEGER,
    reason     TEXT
) STRICT;

-- Private keys are sealed under a key derived from root_secret.
CREATE TABLE signing_keys (
    kid        TEXT    PRIMARY KEY,
    algorithm  TEXT    NOT NULL,
    sealed     BLOB    NOT NULL,
    created_at INTEGER NOT NULL,
    signs_from INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    at         INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    actor_id   INTEGER,
    user_id    INTEGER,
    session_id BLOB,
    ip         TEXT,
    detail     TEXT    NOT NULL,
    bucket     TEXT,
    count      INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE UNIQUE INDEX audit_buckets ON audit (bucket) WHERE bucket IS NOT NULL;
CREATE INDEX audit_by_time ON audit (at);
CREATE INDEX audit_by_kind ON audit (kind);
CREATE INDEX audit_by_user ON audit (user_id) WHERE user_id IS NOT NULL;

-- Append-only: a row can be counted again, and goes when its retention is over; what it says never changes.
CREATE TRIGGER audit_is_append_only
BEFORE UPDATE OF seq, kind, actor_id, user_id, session_id, ip, detail, bucket ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is append-only');
END;
