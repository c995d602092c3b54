import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { FailureError } from '../../builds/failure.ts';
import { problems, text } from '../describe-api.ts';
import type { App, AppParts, ExportedRepository } from '../parts.ts';
import { signalOf } from '../signal-of.ts';

const params = z.object({ tag: z.string(), owner: z.string(), repo: z.string() });

/** Read-only smart HTTP (gitprotocol-http(5)): what a build's upstream_sources.yaml points at. */
export function gitRoutes(app: App, { git, closing }: AppParts): void {
  const tags = ['git'];
  const base = '/api/builds/:tag/git/:owner/:repo';
  app.addContentTypeParser('application/x-git-upload-pack-request', (_request, payload, done) =>
    done(null, payload),
  );

  app.get(
    `${base}/info/refs`,
    {
      schema: {
        operationId: 'gitInfoRefs',
        tags,
        summary: 'Advertise the refs of a merged source',
        params,
        querystring: z.object({ service: z.string().optional() }),
        response: {
          200: text('application/x-git-upload-pack-advertisement', 'Refs.'),
          ...problems(400, 404),
        },
      },
    },
    async (request, reply) => {
      if (request.query.service !== 'git-upload-pack') {
        throw new FailureError({
          reason: 'bad-request',
          detail: 'These repositories can only be read, by smart HTTP.',
          hint: 'Use git clone or git fetch.',
        });
      }
      const refs = await git.advertise(
        named(request.params),
        protocolOf(request.headers),
        signalOf(reply, closing),
      );
      if (refs === undefined) return reply.callNotFound();
      return reply.type('application/x-git-upload-pack-advertisement').send(refs);
    },
  );

  app.post(
    `${base}/git-upload-pack`,
    {
      schema: {
        operationId: 'gitUploadPack',
        tags,
        summary: 'Fetch from a merged source',
        params,
        response: {
          200: text('application/x-git-upload-pack-result', 'A pack.'),
          ...problems(404, 415),
        },
      },
    },
    async (request, reply) => {
      if (!(request.body instanceof Readable)) {
        throw new FailureError({
          reason: 'unsupported-media-type',
          detail: 'This is not a request of a git client.',
          hint: 'Use git clone or git fetch.',
        });
      }
      const zipped = request.headers['content-encoding'] === 'gzip';
      const body = zipped ? request.body.pipe(createGunzip()) : request.body;
      const pack = await git.uploadPack(
        named(request.params),
        protocolOf(request.headers),
        body,
        signalOf(reply, closing),
      );
      if (pack === undefined) return reply.callNotFound();
      return reply.type('application/x-git-upload-pack-result').send(pack);
    },
  );
}

function named(params: ExportedRepository): ExportedRepository {
  return { ...params, repo: params.repo.replace(/\.git$/, '') };
}

function protocolOf(headers: Readonly<Record<string, unknown>>): string {
  const said = headers['git-protocol'];
  return typeof said === 'string' && /^[\w=:.-]{1,100}$/.test(said) ? said : '';
}
