import { createClient, isCountersignError, keychain } from '@countersign/client';

const user = { id: 1, username: 'ada' };
const answers = {
  '/accounts/login': () =>
    Response.json({ access_token: 'a.b.c', expires_in: 300, user, refresh_token: 'r' }),
  '/accounts/logout': () => new Response(null, { status: 204 }),
};
const kept = new Map();
const client = createClient({
  baseUrl: 'https://auth.example.com',
  storage: keychain({
    get: (name) => kept.get(name),
    set: (name, value) => kept.set(name, value),
    remove: (name) => kept.delete(name),
  }),
  platform: { fetch: async (input) => answers[new URL(input.url ?? input).pathname]() },
});

const { username } = await client.login({
  username: 'ada',
  password: 'correct horse battery staple',
});
await client.logout();
if (isCountersignError(undefined)) throw new Error('That is no error.');
console.log(`${username}, then ${client.user ?? 'nobody'}`);
