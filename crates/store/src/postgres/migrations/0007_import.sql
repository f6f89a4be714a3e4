-- What people came with from another system, by which a later import sees what has changed there. No foreign key: who
-- was deleted here isn't to come again, and nothing is kept of them but that.
CREATE TABLE imported_users (
    user_id          BIGINT  PRIMARY KEY,
    seen             TEXT,
    password_is_ours BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE FUNCTION imported_user_goes() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE imported_users SET seen = NULL WHERE user_id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER imported_user_goes AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION imported_user_goes();

-- The permissions that groups came with, a blank between them.
CREATE TABLE imported_groups (
    name_key    TEXT COLLATE "C" PRIMARY KEY,
    permissions TEXT NOT NULL
);
