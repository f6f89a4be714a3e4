// The API without a browser: what a test looks up behind the page's back, as the user itself.

import { ada } from './program.js';

/** Signs a user in by a session of its own, and asks on its behalf. */
export async function signIn(api, { username, password } = ada) {
  const answer = await fetch(`${api}/accounts/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password, token_delivery: 'body' }),
  });
  if (!answer.ok) throw new Error(`login: ${answer.status} ${await answer.text()}`);
  const { access_token: accessToken } = await answer.json();
  return as(api, accessToken);
}

/** Asks on behalf of whoever has this access token. */
export function as(api, accessToken) {
  const call = async (method, path) => {
    const headers = { authorization: `Bearer ${accessToken}` };
    const answer = await fetch(api + path, { method, headers });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? null : answer.json();
  };
  return {
    profile: async () => (await call('GET', '/accounts/profile')).user,
    sessions: async () => (await call('GET', '/accounts/sessions')).sessions,
    endSession: (id) => call('DELETE', `/accounts/sessions/${id}`),
  };
}
