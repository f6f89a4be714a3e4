// Makes the database and a thousand users: node seed.js PASSWORD
import argon2 from "argon2";
import { database } from "./database.js";

// Countersign's parameters.
const options = { type: argon2.argon2id, memoryCost: 19456, timeCost: 2, parallelism: 1 };
const hash = await argon2.hash(process.argv[2], options);
const insert = database.prepare("INSERT INTO users (username, email, password) VALUES (?, ?, ?)");
database.transaction(() => {
  for (let number = 1; number <= 1000; number++) {
    insert.run(`user-${number}`, `user-${number}@example.com`, hash);
  }
})();
