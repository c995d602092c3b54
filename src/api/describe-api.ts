import swagger from '@fastify/swagger';
import {
  createJsonSchemaTransform,
  createJsonSchemaTransformObject,
} from 'fastify-type-provider-zod';
import { z } from 'zod';
import { permissionOf } from './guard-routes.ts';
import type { App } from './parts.ts';
import { Problem } from './schema.ts';

/** Serves the description of all routes that are registered after it: `/openapi.json`, OpenAPI 3.1. */
export async function describeApi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tributary',
        version: '0.1.0',
        description:
          'From refs of upstream code to an installable operator bundle with that code in it.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'The service that tells this.' }],
      // On a laptop it knows no users: it listens on loopback, and refuses foreign sites.
      security: [{}, { bearer: [] }],
      components: {
        securitySchemes: {
          bearer: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A token of the cluster, where the service runs on one: `oc whoami -t`, or `kubectl create token`.',
          },
        },
      },
      tags: [
        { name: 'builds', description: 'Ask for builds and follow them.' },
        { name: 'approvals', description: 'Vouch for commits.' },
        { name: 'product', description: 'What can be asked for.' },
        { name: 'service', description: 'Of the service itself.' },
        { name: 'git', description: 'Merged sources, read-only, for git clients.' },
      ],
    },
    // Fastify knows the step as a wildcard, for its id holds slashes.
    transform: (document) => {
      const transformed = transform(document as Parameters<typeof transform>[0]);
      const { url } = transformed;
      const open = permissionOf([document.route.method].flat()[0] ?? '', url) === 'open';
      const schema = { ...transformed.schema, ...(open ? { security: [] } : {}) };
      if (!url.endsWith('/steps/*')) return { schema, url };
      const params = JSON.parse(JSON.stringify(schema.params ?? {}).replaceAll('"*"', '"step"'));
      return { schema: { ...schema, params }, url: url.replace('*', ':step/log') };
    },
    transformObject: (document) => nameOnce(transformObject(document)),
  });
  app.get(
    '/openapi.json',
    {
      schema: {
        operationId: 'describe',
        tags: ['service'],
        summary: 'This description',
        response: { 200: z.looseObject({}).describe('OpenAPI 3.1.'), ...openProblems() },
      },
    },
    async () => ({ ...app.swagger() }),
  );
}

const zodToJsonConfig = {
  // Answers may get further fields: what a client must not rely on is their absence.
  override: ({
    zodSchema,
    jsonSchema,
  }: {
    zodSchema: z.core.$ZodTypes;
    jsonSchema: z.core.JSONSchema.BaseSchema;
  }) => {
    if (zodSchema._zod.def.type === 'readonly') delete jsonSchema.readOnly;
    if (zodSchema._zod.def.type === 'object') delete jsonSchema.additionalProperties;
  },
};

const transform = createJsonSchemaTransform({ zodToJsonConfig });
const transformObject = createJsonSchemaTransformObject({ zodToJsonConfig });

/**
 * Every schema comes twice, as what is sent (`BuildInput`) and as what is answered (`Build`): each name is kept
 * once, as what is sent where only that is used.
 */
function nameOnce<Document extends object>(document: Document): Document {
  const { paths, components } = JSON.parse(JSON.stringify(document)) as Described;
  const used = namesIn(paths);
  const schemas: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(components.schemas)) {
    const sent = components.schemas[`${name}Input`];
    if (sent !== undefined) schemas[name] = used.has(name) ? schema : sent;
  }
  const text = JSON.stringify({ ...document, components: { ...components, schemas } });
  return JSON.parse(text.replaceAll(/(#\/components\/schemas\/\w+)Input"/g, '$1"')) as Document;
}

interface Described {
  readonly paths: object;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

function namesIn(paths: object): ReadonlySet<string | undefined> {
  const references = JSON.stringify(paths).matchAll(/#\/components\/schemas\/(\w+)"/g);
  return new Set([...references].map(([, name]) => name));
}

/** The problem answers of a route, for its `response` schema: these, and those that every route has that asks who calls. */
export function problems(...statuses: readonly number[]) {
  return openProblems(401, 429, 502, ...statuses);
}

/** The same of a route that is open to all. */
export function openProblems(...statuses: readonly number[]) {
  return Object.fromEntries(
    [...new Set([400, 403, 500, ...statuses])].map((status) => [
      status,
      {
        description: descriptions[status] ?? 'Problem',
        content: { 'application/problem+json': { schema: Problem } },
      },
    ]),
  );
}

const descriptions: Readonly<Record<number, string>> = {
  400: 'The request cannot be read.',
  401: 'The service does not know who asks.',
  403: 'The caller may not do it, nobody has approved the code, or the request comes from a foreign site.',
  404: 'There is no such thing.',
  409: 'The state of things does not allow it.',
  413: 'The body is larger than 64 KiB.',
  415: 'The body is not JSON.',
  422: 'What was asked for cannot be done.',
  500: 'A bug, or a broken installation.',
  502: 'A git server, a registry or the cluster does not answer.',
  504: 'A git server takes too long.',
  429: 'The caller asks too often: `Retry-After` says when to ask again.',
  503: 'The service is not ready.',
};

/** An answer that is text of one media type, for a route's `response` schema. */
export function text(mediaType: string, description: string) {
  return { description, content: { [mediaType]: { schema: z.string() as z.ZodType<unknown> } } };
}
