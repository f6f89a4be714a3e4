-- Who made a link to set a password; none: an operator. It counts only as long as they may make it, so it refers to a user
-- who may be gone. Of the links that are open nobody knows it: they are made again.
DELETE FROM password_links;
ALTER TABLE password_links ADD COLUMN made_by INTEGER;
