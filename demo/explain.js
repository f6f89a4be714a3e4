// Why the API answered as it did: one sentence or two for each answer that this page can meet.

const ANSWERED = {
  'POST /accounts/login':
    'The password was right. The body brought the access token and the CSRF token. The refresh token came in a Set-Cookie header, which the browser keeps from script.',
  'POST /accounts/refresh_token':
    'The refresh cookie proved the session, and the CSRF header proved that this page wanted it. A new access token came back, and the refresh cookie moved one generation on (unless it did so less than ten seconds ago).',
  'GET /accounts/csrf':
    'A refresh cookie came along, so its session’s CSRF token came back. Nothing was rotated. A page of an origin that isn’t listed is refused.',
  'POST /accounts/logout':
    'The session has ended on the server, and the browser was told to drop both cookies. Copies of the tokens are worth nothing now.',
  'GET /accounts/profile':
    'A read needs the access token alone. It changes nothing, so no CSRF token is asked for.',
  'PATCH /accounts/profile':
    'The access token said who, and the CSRF header countersigned it: its SHA-256 is the csh claim inside the token.',
  'POST /accounts/password':
    'Every session of this user ended, this one too, in case someone held a copy. This page was given a new session in the same answer: look at the CSRF token, it changed.',
  'GET /accounts/sessions': 'Each login is one session, and each session is one row on the server.',
  'DELETE /accounts/sessions':
    'All other sessions have ended. Their access tokens stop within a second, not at their expiry.',
  'DELETE /accounts/sessions/{id}':
    'That session has ended. Its access token stops within a second, not at its expiry.',
};

const REFUSED = {
  'GET /accounts/csrf not_authenticated':
    'No refresh cookie came along, so nobody is signed in here. A first visit looks like this.',
  'POST /accounts/refresh_token not_authenticated':
    'No refresh cookie came along, so there was nothing to refresh.',
  invalid_credentials:
    'An unknown user and a wrong password get the same answer in the same time, so that nobody can find out which names exist.',
  throttled:
    'Too many wrong passwords. The answer comes without looking at the password, so a right one doesn’t get through either.',
  overloaded:
    'Hashing a password is slow on purpose, and the queue for it is full. Other routes go on working.',
  wrong_password:
    'This change needs the password, so that a tab left open isn’t enough. A wrong one counts as a guess.',
  invalid_password: 'The new password is too easy to guess. Length is what counts.',
  csrf_failed: 'The CSRF header is missing, or it isn’t this session’s.',
  not_authenticated: 'Nothing in this request said who is calling.',
  token_expired: 'The access token has reached its end. The client refreshes once and tries again.',
  token_invalid: 'The access token isn’t one that this server signed as it stands.',
  session_ended:
    'The token is well made, but its session has ended: by a logout, a password change, or from another device.',
  user_inactive: 'The token is well made, but its user was deactivated.',
  refresh_token_expired: 'The refresh token has reached its end. Only a login helps now.',
  refresh_token_reused:
    'A refresh token that was replaced long ago came back. One of its two holders must be a thief, so the whole session ended.',
  refresh_token_invalid: 'The refresh token isn’t one that this server issued.',
  origin_not_allowed: 'This page’s origin isn’t on the API’s list.',
};

const OVER = {
  session_ended: 'This session has ended: by a logout, a password change, or from another device.',
  user_inactive: 'This user was deactivated.',
  refresh_token_expired: 'This session has lived its whole life.',
  user_changed: 'Someone else signed in from another tab. Reload to go on as that user.',
};

const NO_ANSWER =
  'No answer came. The server may be down, or the network, or the server doesn’t list this page’s origin, and then the browser keeps its answer from the page.';

export function explain({ request, answer }) {
  if (!answer) return NO_ANSWER;
  const { code } = answer;
  if (request.expected && request.expected.code === code) return request.expected.why;
  const route = `${request.method} ${request.path.replace(/(\/sessions\/).+/, '$1{id}')}`;
  if (answer.ok) return ANSWERED[route] ?? '';
  return REFUSED[`${route} ${code}`] ?? REFUSED[code] ?? answer.body?.detail ?? '';
}

/** Why nobody is signed in any more, if it was none of the user's doing. */
export function whyOver({ type, code }) {
  if (type === 'signed_out') return '';
  return OVER[code ?? type] ?? REFUSED[code] ?? 'This session has ended.';
}
