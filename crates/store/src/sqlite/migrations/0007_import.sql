-- What people came with from another system, by which a later import sees what has changed there. No foreign key: who
-- was deleted here isn't to come again, and nothing is kept of them but that.
CREATE TABLE imported_users (
    user_id          INTEGER PRIMARY KEY,
    seen             TEXT,
    password_is_ours INTEGER NOT NULL DEFAULT 0 CHECK (password_is_ours IN (0, 1))
) STRICT;
CREATE TRIGGER imported_user_goes AFTER DELETE ON users
BEGIN
    UPDATE imported_users SET seen = NULL WHERE user_id = OLD.id;
END;

-- The permissions that groups came with, a blank between them.
CREATE TABLE imported_groups (
    name_key    TEXT PRIMARY KEY,
    permissions TEXT NOT NULL
) STRICT, WITHOUT ROWID;
