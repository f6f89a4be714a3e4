// What can be done with a token without knowing any secret: read it, hash it, spoil it.
//
// A JWT is signed, not encrypted. Whoever holds it can read it, so nothing here needs a key.

const utf8 = new TextEncoder();

/** Splits a JWT into its parts and reads the two that are JSON. */
export function decode(token) {
  const [header, claims, signature] = token.split('.');
  return {
    header: readJson(header),
    claims: readJson(claims),
    parts: { header, claims, signature },
  };
}

/** base64url(SHA-256(text)), no padding: how a `csh` claim is made from a CSRF token. */
export async function sha256(text) {
  const digest = await crypto.subtle.digest('SHA-256', utf8.encode(text));
  return toBase64url(new Uint8Array(digest));
}

/** 128 random bits as 22 characters: an idempotency key, or a CSRF token that belongs to nobody. */
export function randomKey() {
  return toBase64url(crypto.getRandomValues(new Uint8Array(16)));
}

/** The same token with its claims changed to name another user. The signature stays as it was. */
export function tamper(token) {
  const { claims, parts } = decode(token);
  const someoneElse = claims.user_id + 1;
  const forged = { ...claims, sub: String(someoneElse), user_id: someoneElse };
  const forgedPart = toBase64url(utf8.encode(JSON.stringify(forged)));
  return [parts.header, forgedPart, parts.signature].join('.');
}

/** Enough of a token to recognise it by, too little to use it. */
export function shorten(token) {
  return token.length > 20 ? `${token.slice(0, 8)}…${token.slice(-6)}` : '…';
}

function readJson(part) {
  return JSON.parse(new TextDecoder().decode(fromBase64url(part)));
}

function toBase64url(bytes) {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=+$/, '');
}

function fromBase64url(text) {
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
