import { sendFailures } from './answer-errors.ts';
import type { App } from './parts.ts';

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/**
 * Notes the methods of every route that is added from now on; the function it returns then answers
 * the others with 405 and `Allow`.
 */
export function refuseOtherMethods(app: App): () => void {
  const known = new Map<string, Set<string>>();
  let noting = true;
  app.addHook('onRoute', ({ url, method }) => {
    if (!noting) return;
    const allowed = known.get(url) ?? new Set<string>();
    for (const each of [method].flat()) allowed.add(each);
    known.set(url, allowed);
  });
  return () => {
    noting = false;
    for (const [url, allowed] of known) {
      const others = methods.filter((method) => !allowed.has(method));
      const allow = [...allowed].sort().join(', ');
      app.route({
        method: others,
        url,
        schema: { hide: true },
        handler: (request, reply) => {
          reply.header('allow', allow);
          if (request.method === 'OPTIONS') return reply.code(204).send();
          return sendFailures(request, reply, [
            {
              reason: 'method-not-allowed',
              detail: `${request.method} is not allowed at ${request.url.split('?', 1)[0]}.`,
              hint: `Use ${allow.replaceAll(', ', ' or ')}.`,
            },
          ]);
        },
      });
    }
  };
}
