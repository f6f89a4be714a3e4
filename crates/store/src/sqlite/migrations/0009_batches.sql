-- What was gathered in memory and is written down in the background is written under a name. Who doesn't know whether it was
-- written does it again, and finds the name here.
CREATE TABLE written_batches (
    id BLOB    PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
