// The server's own database, for what no page can do: a hundred thousand users, a clock that has moved on.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SCRIPT = `
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], timeout=30)
database.executescript(sys.argv[2])
database.commit()
`;

/** Runs statements on the database of a server that runs. */
export async function change(data, sql) {
  await promisify(execFile)('python3', ['-c', SCRIPT, join(data, 'countersign.db'), sql]);
}

/** Makes so many users, whose names begin with this; they can't log in. */
export function crowd(data, many, name = 'user') {
  return change(
    data,
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${many})
     INSERT INTO users (username, username_key, email, email_key, first_name, last_name, password,
       password_cost, is_active, is_staff, is_superuser, joined_at, fields)
     SELECT printf('${name}-%06d', i), printf('${name}-%06d', i), printf('${name}-%06d@example.com', i),
       printf('${name}-%06d@example.com', i), 'Sam', printf('Crowd %06d', i), '!', 'none', 1, 0, 0,
       1700000000000 + i * 60000, '{}' FROM n;`,
  );
}

/** Gives a user rights, and lets them enter the admin site. */
export function makeStaff(data, username, rights = []) {
  const listed = rights.map((right) => `'${right}'`).join(', ');
  return change(
    data,
    `UPDATE users SET is_staff = 1 WHERE username = '${username}';
     INSERT INTO user_permissions (user_id, permission_id) SELECT users.id, permissions.id
       FROM users, permissions WHERE username = '${username}' AND permissions.name IN (${listed});`,
  );
}
