// JSON Schemas, as lists of members that a person can read.

import { el, inline } from './dom.js';

/** Which token a member holds: its colour. */
const TOKENS = { access_token: 'access', refresh_token: 'refresh', csrf_token: 'csrf' };

export function tokenOf(member) {
  return TOKENS[member] ?? '';
}

/** The members of an object: those that are always there first, in their order. */
export function orderOf(schema) {
  const names = Object.keys(schema.properties ?? {});
  const required = schema.required ?? [];
  return [...required, ...names.filter((name) => !required.includes(name))];
}

/** An example with its members in their schema's order. */
export function inOrder(api, schema, value) {
  schema = api.resolve(schema) ?? {};
  if (Array.isArray(value)) return value.map((item) => inOrder(api, schema.items, item));
  if (value === null || typeof value !== 'object') return value;
  const known = orderOf(schema).filter((name) => name in value);
  const names = [...known, ...Object.keys(value).filter((name) => !known.includes(name))];
  return Object.fromEntries(
    names.map((name) => [name, inOrder(api, schema.properties?.[name], value[name])]),
  );
}

/** The members of an object, and theirs. */
export function members(api, schema) {
  schema = api.resolve(schema);
  const required = schema.required ?? [];
  const rows = orderOf(schema).map((name) => {
    const member = api.resolve(schema.properties[name]);
    const inner = member.type === 'array' ? api.resolve(member.items) : member;
    return el(
      'li',
      {},
      el('code', { className: `name ${tokenOf(name)}` }, name),
      ' ',
      el('span', { className: 'type' }, typeOf(api, member)),
      required.includes(name) ? null : el('span', { className: 'type' }, ', optional'),
      facts(member),
      inner.properties ? members(api, inner) : null,
    );
  });
  return el('ul', { className: 'members' }, rows);
}

/** What there is to say of a value beyond its type. */
export function facts(schema) {
  const listed = (schema.enum ?? []).map((value) => el('code', {}, JSON.stringify(value)));
  const choice = listed.flatMap((value, index) =>
    index === 0 ? ['One of ', value] : [', ', value],
  );
  const sentences = [
    schema.description ? inline(schema.description) : null,
    choice.length > 0 && choice.length < 10 ? [...choice, '.'] : null,
    'default' in schema
      ? ['Without it: ', el('code', {}, JSON.stringify(schema.default)), '.']
      : null,
    'minLength' in schema ? [`${schema.minLength} to ${schema.maxLength} characters.`] : null,
  ].filter((sentence) => sentence !== null);
  if (sentences.length === 0) return null;
  return el(
    'p',
    {},
    sentences.flatMap((sentence, index) => (index === 0 ? sentence : [' ', ...sentence])),
  );
}

/** A type in words. */
export function typeOf(api, schema) {
  schema = api.resolve(schema);
  const format = schema.format ? ` (${schema.format})` : '';
  if (Array.isArray(schema.type)) return schema.type.join(' or ') + format;
  if (schema.type === 'array') return `array of ${typeOf(api, schema.items)}s`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  return (
    (schema.type ?? 'anything') +
    (schema.format?.startsWith('int') || schema.format?.startsWith('uint') ? '' : format)
  );
}
