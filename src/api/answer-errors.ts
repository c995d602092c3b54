import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { diskFull } from '../builds/disk-full.ts';
import { type Failure, FailureError, type Outcome } from '../builds/failure.ts';
import type { App } from './parts.ts';
import { problemText, renderProblem } from './problem.ts';

type Failures = readonly [Failure, ...Failure[]];

/** Sends failures as `application/problem+json`. */
export function sendFailures(
  request: FastifyRequest,
  reply: FastifyReply,
  failures: Failures,
): FastifyReply {
  const problem = renderProblem(failures, pathOf(request.url));
  return reply.code(problem.status).type('application/problem+json').send(problemText(problem));
}

/** Sends the value of an outcome, or its failures. */
export function sendOutcome<Value>(
  request: FastifyRequest,
  reply: FastifyReply,
  outcome: Outcome<Value>,
): FastifyReply {
  return outcome.ok ? reply.send(outcome.value) : sendFailures(request, reply, outcome.failures);
}

/** The one handler for whatever a route throws and for what Fastify itself refuses. */
export function answerErrors(app: App): void {
  app.setErrorHandler((error, request, reply) => handle(error as FastifyError, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendFailures(request, reply, [
      {
        reason: 'not-found',
        detail: `There is nothing at ${pathOf(request.url)}.`,
        hint: 'GET /openapi.json lists everything there is.',
      },
    ]),
  );
}

/** What Fastify must be told when it is made: errors before any route is found. */
answerErrors.options = {
  frameworkErrors: handle,
  clientErrorHandler(error: NodeJS.ErrnoException, socket: Socket): void {
    if (error.code === 'ECONNRESET' || !socket.writable) return;
    const [status, detail, hint] = unreadable[error.code ?? ''] ?? noHttp;
    const problem = { ...renderProblem([{ reason: 'bad-request', detail, hint }], '/'), status };
    const body = problemText(problem);
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
        `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    );
  },
} as const;

/** What Node refuses before there is a request: error code → status, what happened, what to do. */
const unreadable: Readonly<Record<string, readonly [number, string, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    408,
    'The request took too long to arrive.',
    'Send the whole request at once, as curl does.',
  ],
  HPE_HEADER_OVERFLOW: [
    431,
    'The path and headers are larger than 16 KiB.',
    'Leave out cookies and other headers that this service does not read.',
  ],
};
const noHttp = [400, 'This is not an HTTP request.', 'Speak HTTP/1.1, as curl does.'] as const;

function handle(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof FailureError) return sendFailures(request, reply, error.failures);
  const known = refusals(error);
  if (known !== undefined) return sendFailures(request, reply, [known]);
  request.log.error({ err: error }, 'a bug');
  return sendFailures(request, reply, [
    {
      reason: 'internal-error',
      detail: `Tributary met a bug while it answered ${request.method} ${pathOf(request.url)}.`,
      hint: `Report it with the log lines of request ${request.id}.`,
    },
  ]);
}

function refusals(error: FastifyError): Failure | undefined {
  const full = diskFull(error);
  if (full !== undefined) return full;
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return {
        reason: 'body-too-large',
        detail: 'The body is larger than 64 KiB.',
        hint: 'A request names refs; it never carries code.',
      };
    case 'FST_ERR_BAD_URL':
      return {
        reason: 'bad-request',
        detail: 'The path of the URL cannot be decoded.',
        hint: 'Write a percent sign as %25.',
      };
    default: {
      const status = error.statusCode ?? 500;
      if (status >= 500) return undefined;
      return {
        reason: 'bad-request',
        detail: `${error.message}.`,
        hint: 'GET /openapi.json describes every request.',
      };
    }
  }
}

function pathOf(url: string): string {
  return url.split('?', 1)[0] ?? url;
}
