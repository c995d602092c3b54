import type { FastifyRequest } from 'fastify';
import { FailureError } from '../builds/failure.ts';
import type { App } from './parts.ts';

/**
 * Bodies are JSON. `curl -d` says `application/x-www-form-urlencoded` unless told otherwise, and
 * some clients say nothing: both are read as JSON too. Anything else is refused.
 */
export function acceptJson(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'string' },
    async (request: FastifyRequest, body: string | Buffer) => {
      const text = String(body);
      const type = mediaType(request.headers['content-type']);
      if (text === '') return undefined;
      if (type !== '' && type !== form && !/^application\/(.+\+)?json$/.test(type)) {
        throw new FailureError({
          reason: 'unsupported-media-type',
          detail: `The body is said to be ${type}.`,
          hint: 'Send JSON, with the header Content-Type: application/json.',
        });
      }
      return parseJson(text, type === form);
    },
  );
}

const form = 'application/x-www-form-urlencoded';

function mediaType(header: string | undefined): string {
  return (header?.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function parseJson(text: string, saidToBeForm: boolean): unknown {
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
