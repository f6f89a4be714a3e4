-- Sessions of the admin site, by the SHA-256 of their tokens. There are few, and they live for hours.
CREATE TABLE admin_sessions (
    id         BLOB    PRIMARY KEY CHECK (length(id) = 32),
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    proved_at  INTEGER NOT NULL,
    ip         TEXT,
    user_agent TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX admin_sessions_by_user ON admin_sessions (user_id);

CREATE INDEX users_by_superuser ON users (id) WHERE is_superuser = 1;
