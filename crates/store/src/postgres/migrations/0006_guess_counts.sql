-- What all nodes count of failed guesses, in the core's own form; the key is a hash under a secret. It needn't outlive a
-- crash, and a standby needn't have it: so it costs no wait for a disk.
CREATE UNLOGGED TABLE guess_counts (
    key     UUID   PRIMARY KEY,
    bytes   BYTEA  NOT NULL,
    worth   BIGINT NOT NULL,
    over_at BIGINT NOT NULL
) WITH (fillfactor = 50);
