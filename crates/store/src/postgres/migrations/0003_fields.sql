-- Values of custom user fields, in the form by which they are the same: what users are found by, and what only one may
-- have. It is made of users.fields and the declared fields, and can be made again; what isn't declared has no rows.
CREATE TABLE field_values (
    user_id   BIGINT  NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    field     TEXT    COLLATE "C" NOT NULL,
    value     TEXT    COLLATE "C" NOT NULL,
    is_unique BOOLEAN NOT NULL,
    PRIMARY KEY (user_id, field)
);
CREATE INDEX field_values_by_value ON field_values (field, value, user_id);
-- Of those who shared a value before it had to be unique, one has it; nobody else can get it.
CREATE UNIQUE INDEX field_values_unique ON field_values (field, value) WHERE is_unique;
