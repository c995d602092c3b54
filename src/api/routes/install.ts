import { z } from 'zod';
import { sendFailures } from '../answer-errors.ts';
import { problems } from '../describe-api.ts';
import type { App, AppParts } from '../parts.ts';
import { renderInstallText } from '../render-install.ts';
import { Install } from '../schema.ts';
import { tagParams } from './builds.ts';

/** How a build is installed and removed: text for people, JSON for programs. */
export function installRoutes(app: App, { service }: AppParts): void {
  app.get(
    '/api/builds/:tag/install',
    {
      schema: {
        operationId: 'howToInstall',
        tags: ['builds'],
        summary: 'Say how to install and remove a build',
        description: 'JSON, or text where `Accept` prefers `text/plain`.',
        params: tagParams,
        response: {
          200: {
            description: 'Commands and manifests.',
            content: {
              'application/json': { schema: Install },
              'text/plain': { schema: z.string() },
            },
          },
          ...problems(404, 409),
        },
      },
    },
    async (request, reply) => {
      const install = await service.install(request.params.tag);
      if (!install.ok) return sendFailures(request, reply, install.failures);
      reply.header('vary', 'accept');
      if (!prefersText(request.headers.accept)) return reply.send(install.value);
      return reply.type('text/plain; charset=utf-8').send(renderInstallText(install.value));
    },
  );
}

function prefersText(accept = ''): boolean {
  const text = accept.search(/text\/(plain|\*)/);
  const json = accept.indexOf('application/json');
  return text >= 0 && (json < 0 || text < json);
}
