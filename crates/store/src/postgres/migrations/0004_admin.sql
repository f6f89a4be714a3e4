-- Sessions of the admin site, by the SHA-256 of their tokens. There are few, and they live for hours.
CREATE TABLE admin_sessions (
    id         BYTEA  PRIMARY KEY CHECK (length(id) = 32),
    user_id    BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    proved_at  BIGINT NOT NULL,
    ip         TEXT,
    user_agent TEXT
);
CREATE INDEX admin_sessions_by_user ON admin_sessions (user_id);

CREATE INDEX users_by_superuser ON users (id) WHERE is_superuser;
