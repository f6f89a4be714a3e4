// The API without a browser: what a test looks up behind the page's back, as the user itself.

/** A CSRF token of a session of this user's own. */
export async function csrfTokenOf(api, user) {
  return (await (await logIn(api, user)).json()).csrf_token;
}

/** The refresh cookie of a session of this user's own, as `name=value`. */
export async function refreshCookieOf(api, user) {
  const cookies = (await logIn(api, user)).headers.getSetCookie();
  return cookies.find((cookie) => cookie.includes('refreshtoken=')).split(';')[0];
}

async function logIn(api, { username, password }) {
  const answer = await fetch(`${api}/accounts/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password }),
  });
  if (!answer.ok) throw new Error(`login: ${answer.status} ${await answer.text()}`);
  return answer;
}

/** Asks on behalf of whoever has this access token. */
export function as(api, accessToken) {
  const get = async (path) => {
    const answer = await fetch(api + path, { headers: { authorization: `Bearer ${accessToken}` } });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  return {
    profile: async () => (await get('/accounts/profile')).user,
    sessions: async () => (await get('/accounts/sessions')).sessions,
  };
}
