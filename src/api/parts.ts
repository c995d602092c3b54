import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyBaseLogger, FastifyInstance, FastifyServerOptions } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { RememberedAccess } from '../access/remembered-access.ts';
import type { Service } from './service.ts';

/** The application as routes see it: schemas are zod's. */
export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What routes need. */
export interface AppParts {
  readonly service: Service;
  readonly metrics: Metrics;
  readonly git: GitExport;
  /** Who may do what; undefined: whoever reaches the service may do everything. */
  readonly guard?: Guard;
  /** Host names besides the loopback ones under which the service is reached. */
  readonly hosts: readonly string[];
  /** Aborted when the service begins to end: long answers then end, and `/readyz` says no. */
  readonly closing: AbortSignal;
  /** Milliseconds between comments that keep an idle event stream open. Default: 15 seconds. */
  readonly heartbeat?: number;
  readonly logger?: FastifyServerOptions['logger'];
}

/** What a service with identities is guarded by. */
export interface Guard {
  readonly access: RememberedAccess;
  /** Namespace whose rights count, for what people are told. */
  readonly namespace: string;
  /** Requests of one identity; and of one address, those with tokens that are nobody's. */
  readonly perMinute: number;
  /** Milliseconds, of a clock that only goes forward. */
  now(): number;
}

/** The instruments of the service, in a registry of their own. */
export interface Metrics {
  readonly registry: Registry;
  readonly requests: Histogram<'method' | 'route' | 'status'>;
  readonly builds: Gauge<'state'>;
  readonly finished: Counter<'state' | 'reason'>;
  readonly steps: Histogram<'kind' | 'outcome'>;
}

/** A repository that a build exports. */
export interface ExportedRepository {
  readonly tag: string;
  readonly owner: string;
  readonly repo: string;
}

/** Serves the merged sources of builds to git clients; undefined where a build exports no such repository. */
export interface GitExport {
  /** What `info/refs` answers. `protocol` is the client's Git-Protocol header. */
  advertise(
    repository: ExportedRepository,
    protocol: string,
    signal: AbortSignal,
  ): Promise<Readable | undefined>;
  uploadPack(
    repository: ExportedRepository,
    protocol: string,
    request: Readable,
    signal: AbortSignal,
  ): Promise<Readable | undefined>;
}
