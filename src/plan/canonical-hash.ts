import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** SHA-256 (64 hex digits) of a value as canonical JSON (RFC 8785): the order of its keys does not matter. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalText(value)).digest('hex');
}

/** A value as canonical JSON (RFC 8785). Values that JSON cannot say are a bug. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new Error('a value without JSON form has no canonical text');
  return text;
}
