// Servers that are less careful than ours, to see that the attacks are real: each is what the proxy
// in front of the API does to requests and answers, and so turns one defence off. The program itself
// has no such switch.

import { createHash } from 'node:crypto';

/** Does all of these, in this order. */
export function all(...flavours) {
  return {
    rewrite: (request) => flavours.map((flavour) => flavour.rewrite?.(request)).find(Boolean),
    mark: (answer, request) => flavours.forEach((flavour) => flavour.mark?.(answer, request)),
  };
}

/** It doesn't look where a request comes from: every page passes for the app. */
export function withoutOriginCheck(app) {
  return {
    rewrite({ headers }) {
      if (headers.origin) headers.origin = app;
      delete headers['sec-fetch-site'];
    },
  };
}

/** It takes a body for JSON whatever it says that it is. */
export const withoutTypeCheck = {
  rewrite({ headers }) {
    if (headers['content-type']) headers['content-type'] = 'application/json';
  },
};

/** The cookies are enough: no header has to countersign them. */
export const withoutCountersignature = {
  rewrite({ headers }) {
    const token = countersigning(headers);
    if (token) headers['x-csrftoken'] = token;
  },
};

/** It compares the CSRF header with a cookie, as double submit is mostly written, and not with the session. */
export const withPlainDoubleSubmit = {
  rewrite({ headers }) {
    if (values(headers, 'csrftoken').includes(headers['x-csrftoken']))
      headers['x-csrftoken'] = countersigning(headers);
  },
};

/** Of several cookies of one name it takes the first, as most frameworks do. */
export const withFirstCookie = {
  rewrite({ headers }) {
    const names = new Set();
    const first = cookies(headers).filter(([name]) => !names.has(name) && names.add(name));
    if (headers.cookie) headers.cookie = first.map((pair) => pair.join('=')).join('; ');
  },
};

/** Every origin may ask anything, and read the answer, with the cookies: CORS made to "just work". */
export const withOpenCors = {
  rewrite({ method, headers }) {
    if (method !== 'OPTIONS') return undefined;
    return {
      status: 204,
      headers: {
        ...openTo(headers),
        'access-control-allow-methods': headers['access-control-request-method'],
        'access-control-allow-headers': headers['access-control-request-headers'] ?? '',
      },
    };
  },
  mark(answer, { headers }) {
    Object.assign(answer.headers, openTo(headers));
  },
};

function openTo({ origin }) {
  return {
    'access-control-allow-origin': origin ?? '*',
    'access-control-allow-credentials': 'true',
  };
}

/** The CSRF cookie that belongs to the refresh cookie, whatever else was planted. */
function countersigning(headers) {
  const hashes = values(headers, 'refreshtoken').map(
    (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).csh,
  );
  const hash = (token) => createHash('sha256').update(token).digest('base64url');
  return values(headers, 'csrftoken').find((token) => hashes.includes(hash(token)));
}

/** The values of all cookies of this name, with or without a prefix. */
function values(headers, name) {
  return cookies(headers)
    .filter(([its]) => its.replace(/^__(Host|Secure)-/, '') === name)
    .map(([, value]) => value);
}

function cookies({ cookie = '' }) {
  return cookie.split('; ').map((pair) => [pair.split('=')[0], pair.slice(pair.indexOf('=') + 1)]);
}
