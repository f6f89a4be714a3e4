// A small service as one would write it on Fastify: a short access token, a refresh token in a cookie, one row a session
// whose generation moves with each refresh.
import { randomUUID } from "node:crypto";
import cookie from "@fastify/cookie";
import jwt from "@fastify/jwt";
import argon2 from "argon2";
import Fastify from "fastify";
import { database } from "./database.js";

const app = Fastify();
await app.register(cookie);
await app.register(jwt, { secret: "the benchmark's secret for access tokens, and for nothing else" });
await app.register(jwt, {
  namespace: "refresh",
  secret: "the benchmark's secret for refresh tokens, and for nothing else",
  cookie: { cookieName: "refresh", signed: false },
});

const userByName = database.prepare("SELECT * FROM users WHERE username = ? AND is_active = 1");
const userById = database.prepare("SELECT id, username, email, is_active FROM users WHERE id = ?");
const start = database.prepare("INSERT INTO sessions (id, user_id, generation) VALUES (?, ?, 1)");
const rotate = database.prepare(
  "UPDATE sessions SET generation = generation + 1 WHERE id = ? AND generation = ? AND ended_at IS NULL",
);

const credentials = {
  body: {
    type: "object",
    required: ["username", "password"],
    properties: { username: { type: "string" }, password: { type: "string", maxLength: 1024 } },
  },
};

function answer(reply, user, sid, generation) {
  const access = app.jwt.sign({ sub: user, sid }, { expiresIn: "2h" });
  const refresh = app.jwt.refresh.sign({ sub: user, sid, gen: generation }, { expiresIn: "7d" });
  reply.setCookie("refresh", refresh, { httpOnly: true, sameSite: "lax", path: "/", maxAge: 604800 });
  return { access_token: access };
}

app.post("/login", { schema: credentials }, async (request, reply) => {
  const user = userByName.get(request.body.username);
  if (!user || !(await argon2.verify(user.password, request.body.password))) {
    return reply.code(401).send({ error: "wrong user name or password" });
  }
  const sid = randomUUID();
  start.run(sid, user.id);
  return answer(reply, user.id, sid, 1);
});

app.post("/refresh", async (request, reply) => {
  let claims;
  try {
    claims = await request.refreshJwtVerify({ onlyCookie: true });
  } catch {
    return reply.code(401).send({ error: "no good refresh token" });
  }
  if (rotate.run(claims.sid, claims.gen).changes !== 1) {
    return reply.code(401).send({ error: "used before" });
  }
  return answer(reply, claims.sub, claims.sid, claims.gen + 1);
});

app.get("/profile", async (request, reply) => {
  try {
    await request.jwtVerify();
  } catch {
    return reply.code(401).send({ error: "no good access token" });
  }
  const user = userById.get(request.user.sub);
  return user ? { user } : reply.code(401).send({ error: "no such user" });
});

await app.listen({ host: "127.0.0.1", port: Number(process.env.PORT) });
