import type { z } from 'zod';
import { type Failure, FailureError } from '../builds/failure.ts';
import type { App } from './parts.ts';

/**
 * Query strings and parameters are checked against their zod schema. Bodies are not: parseRequest
 * reads them and tells all problems in the words of people; their schemas are for OpenAPI. Answers
 * are written as they are: a mistake in a schema shall not turn a good answer into an error.
 */
export function validateInput(app: App): void {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => (data: unknown) => {
    if (httpPart === 'body') return { value: data };
    const parsed = schema.safeParse(data);
    if (parsed.success) return { value: parsed.data };
    const failures = parsed.error.issues.map(
      (issue): Failure => ({
        reason: 'bad-request',
        detail: `${issue.path.join('.') || 'The query'}: ${issue.message.replace(/^Invalid input: /, '')}.`,
        hint: 'GET /openapi.json lists the parameters and their values.',
      }),
    );
    return { error: new FailureError(...(failures as [Failure, ...Failure[]])) };
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
}
