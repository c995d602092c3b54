import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { visible } from '../request/quote.ts';
import { callerOf } from './guard-routes.ts';

/** What a caller says of themselves. */
export const RequesterHeaders = z.object({
  'x-tributary-requester': z
    .string()
    .optional()
    .describe('Who asks, as shown to people; with a bearer token, its owner does.'),
});

/**
 * Who asks, as it is shown to people and kept: the identity where there are any, else what callers say of themselves,
 * which decides nothing.
 */
export function requesterOf(request: FastifyRequest): string {
  const caller = callerOf(request);
  if (caller !== undefined) return visible(caller.user).slice(0, 253);
  const said = request.headers['x-tributary-requester'];
  return typeof said === 'string' && /^[\w.@+-]{1,100}$/.test(said) ? said : 'anonymous';
}
