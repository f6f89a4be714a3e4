// better-auth as its documentation starts it: e-mail and password, sessions in SQLite.
import { betterAuth } from "better-auth";
import Database from "better-sqlite3";

const database = new Database(`${process.env.PEER_DATA}/auth.db`);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");

export const auth = betterAuth({
  database,
  baseURL: "http://localhost",
  secret: "the benchmark's secret, and nothing else's 0123456789",
  emailAndPassword: { enabled: true },
  // One client makes all requests of a benchmark.
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
});
