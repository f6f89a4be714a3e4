// Makes the database and as many users as are asked for: node seed.js PASSWORD USERS
import { getMigrations } from "better-auth/db/migration";
import { auth } from "./auth.js";

const [, , password, users] = process.argv;
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
for (let number = 1; number <= Number(users); number++) {
  const name = `user-${number}`;
  await auth.api.signUpEmail({ body: { name, email: `${name}@example.com`, password } });
}
