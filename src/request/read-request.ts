import type { Failure } from '../builds/failure.ts';
import type { Product } from '../product/product.ts';
import { type CheckedRequest, checkParts, type KnownNames } from './check-request.ts';
import { parseParts } from './parse-request.ts';
import { maximalComponents } from './request-body.ts';

/** A request as far as it can be understood. */
export interface ReadRequest {
  /** All that is wrong with it, of its shape and of its names. */
  readonly failures: readonly Failure[];
  /** What refs can be looked up nonetheless; undefined where it would make no sense. */
  readonly request: CheckedRequest | undefined;
}

/** Reads the body of a request and looks up its names, so that all problems can be told at once. */
export function readRequest(json: unknown, product: Product, known: KnownNames): ReadRequest {
  const { parts, failures } = parseParts(json);
  const count = Object.keys(parts.components).length;
  if (!isObject(json) || count > maximalComponents) return { failures, request: undefined };
  const { failures: unknown, checked } = checkParts(parts, product, known);
  const all = [...failures, ...unknown];
  // Nothing to look up, and refused in any case.
  const idle = all.length > 0 && count === 0 && parts.product === undefined;
  return { failures: all, request: idle ? undefined : checked };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
