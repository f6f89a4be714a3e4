-- What people may do: permissions, directly or through groups; and what a list of a million of them needs to be quick.

CREATE TABLE permissions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT    NOT NULL UNIQUE,
    description TEXT    NOT NULL,
    built_in    INTEGER NOT NULL CHECK (built_in IN (0, 1))
) STRICT;

-- AUTOINCREMENT: what remembers the id of a group that went never means another one.
CREATE TABLE groups (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT    NOT NULL,
    name_key TEXT    NOT NULL UNIQUE
) STRICT;

CREATE TABLE group_permissions (
    group_id      INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    permission_id INTEGER NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_permissions_by_permission ON group_permissions (permission_id);

CREATE TABLE user_groups (
    user_id  INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_groups_by_group ON user_groups (group_id, user_id);

CREATE TABLE user_permissions (
    user_id       INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    permission_id INTEGER NOT NULL REFERENCES permissions (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, permission_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_permissions_by_permission ON user_permissions (permission_id);

-- Links to set a password: one a user, the newest. What is kept is the SHA-256 of the token.
CREATE TABLE password_links (
    user_id    INTEGER NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    token_hash BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    expires_at INTEGER NOT NULL
) STRICT;

-- The permissions that guard the admin site and the command line's use cases.
INSERT INTO permissions (name, description, built_in) VALUES
    ('users.view', 'See users', 1),
    ('users.create', 'Make users', 1),
    ('users.change', 'Change users, what they may do, and whether they may log in', 1),
    ('users.delete', 'Delete users', 1),
    ('users.link', 'Make links with which users set a password', 1),
    ('users.unlock', 'Forget the failed guesses at a user''s password', 1),
    ('groups.view', 'See groups and permissions', 1),
    ('groups.change', 'Make, change and delete groups and permissions', 1),
    ('sessions.view', 'See who is signed in, from where and since when', 1),
    ('sessions.end', 'End sessions', 1),
    ('audit.view', 'Read the audit', 1),
    ('keys.view', 'See the signing keys', 1),
    ('keys.change', 'Make and remove signing keys', 1);

-- What a search compares with: the name folded as user names are. What a database of the first version holds is folded
-- as well as SQL can, and in full at its next change.
ALTER TABLE users ADD COLUMN first_name_key TEXT NOT NULL DEFAULT '';
ALTER TABLE users ADD COLUMN last_name_key TEXT NOT NULL DEFAULT '';
-- Those who never logged in come before all others.
ALTER TABLE users ADD COLUMN last_login_key INTEGER NOT NULL GENERATED ALWAYS AS (COALESCE(last_login_at, 0)) VIRTUAL;
-- The id once more: SQLite finds no place in an index by its row id.
ALTER TABLE users ADD COLUMN listed_id INTEGER NOT NULL GENERATED ALWAYS AS (id) VIRTUAL;
UPDATE users SET first_name_key = lower(trim(first_name)), last_name_key = lower(trim(last_name));

-- One for each order in which users are listed, one for each way in which they are searched or few of them are chosen.
DROP INDEX users_by_email;
CREATE INDEX users_by_email ON users (email_key, listed_id);
CREATE INDEX users_by_first_name ON users (first_name_key) WHERE first_name_key <> '';
CREATE INDEX users_by_last_name ON users (last_name_key) WHERE last_name_key <> '';
CREATE INDEX users_by_joining ON users (joined_at, listed_id);
CREATE INDEX users_by_last_login ON users (last_login_key, listed_id);
CREATE INDEX users_of_staff ON users (id) WHERE is_staff;
CREATE INDEX superusers ON users (id) WHERE is_superuser;
CREATE INDEX users_switched_off ON users (id) WHERE NOT is_active;

-- The audit is read newest first: all of it, of one kind, of what one user did or what was done to them.
DROP INDEX audit_by_time;
DROP INDEX audit_by_kind;
DROP INDEX audit_by_user;
CREATE INDEX audit_by_time ON audit (at, seq);
CREATE INDEX audit_by_kind ON audit (kind, at, seq, count);
CREATE INDEX audit_by_user ON audit (user_id, at, seq) WHERE user_id IS NOT NULL;
CREATE INDEX audit_by_actor ON audit (actor_id, at, seq) WHERE actor_id IS NOT NULL;
