import type { FastifyReply } from 'fastify';

/** Aborted when the caller has gone or the service ends: for work that only this answer needs. */
export function signalOf(reply: FastifyReply, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return AbortSignal.any([gone.signal, closing]);
}
