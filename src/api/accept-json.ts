import type { FastifyRequest } from 'fastify';
import { FailureError } from '../builds/failure.ts';
import { jsonProblem } from '../request/json-problem.ts';
import type { App } from './parts.ts';

/**
 * Bodies are JSON in UTF-8 (RFC 8259). `curl -d` says `application/x-www-form-urlencoded` unless told otherwise, and
 * some clients say nothing: both are read as JSON too. Anything else is refused.
 */
export function acceptJson(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      if (body.length === 0) return undefined;
      const type = mediaType(request.headers['content-type']);
      refuseOtherTypes(request, type);
      return parseJson(decode(body), type === form);
    },
  );
}

function refuseOtherTypes({ headers }: FastifyRequest, type: string): void {
  const charset = /;\s*charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  const encoding = headers['content-encoding'] ?? 'identity';
  if (type !== '' && type !== form && !/^application\/(.+\+)?json$/.test(type)) refuse(type);
  if (!/^(utf-?8|us-ascii)$/i.test(charset)) refuse(`in ${charset}`);
  if (encoding.toLowerCase() !== 'identity') refuse(`packed by ${encoding}`);
}

function refuse(what: string): never {
  throw new FailureError({
    reason: 'unsupported-media-type',
    detail: `The body is said to be ${what}.`,
    hint: 'Send JSON as it is, in UTF-8, with the header Content-Type: application/json.',
  });
}

function decode(body: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new FailureError({
      reason: 'bad-request',
      detail: 'The body is not UTF-8.',
      hint: 'Send JSON in UTF-8.',
    });
  }
}

const form = 'application/x-www-form-urlencoded';

function mediaType(header: string | undefined): string {
  return (header?.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function parseJson(text: string, saidToBeForm: boolean): unknown {
  const value = readJson(text, saidToBeForm);
  const problem = jsonProblem(text);
  if (problem === undefined) return value;
  throw new FailureError({
    reason: 'bad-request',
    detail: `The body ${problem}.`,
    hint: 'Correct it there: GET /openapi.json says what a request is.',
  });
}

function readJson(text: string, saidToBeForm: boolean): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FailureError({
      reason: 'bad-request',
      detail: `The body is not JSON: ${describe(text, error as SyntaxError)}.`,
      hint: saidToBeForm
        ? 'Send a JSON object; with curl: curl -H "Content-Type: application/json" -d \'{"name": …}\'.'
        : 'Correct it there; a JSON object is expected.',
    });
  }
}

/** V8's message with line and column, which it leaves out where the text just ends. */
function describe(text: string, error: SyntaxError): string {
  const position = Number(/at position (\d+)/.exec(error.message)?.[1] ?? text.length);
  const before = text.slice(0, position).split('\n');
  const what = error.message.replace(/ in JSON.*$/s, '').replace(/, "?.*is not valid JSON$/s, '');
  return `${what} at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
}
