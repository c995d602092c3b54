import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';

const program = join(import.meta.dirname, '../../.tools/python/bin/schemathesis');

/**
 * Asks a running service whatever its /openapi.json allows and does not allow, `examples` times for each operation;
 * gives the exit code and what was found. A 5xx, a status, type or header that is not described, or a body of another
 * shape is a finding.
 */
export async function askBySchema(
  url: string,
  examples: number,
  folder: string,
): Promise<{ readonly exitCode: number; readonly report: string }> {
  const checks = ['not_a_server_error', 'status_code_conformance', 'content_type_conformance'];
  checks.push('response_headers_conformance', 'response_schema_conformance');
  const { exitCode, stdout, stderr } = await run(
    program,
    [
      ...[
        'run',
        `${url}/openapi.json`,
        '--no-color',
        '--seed',
        '1',
        '--generation-database',
        'none',
      ],
      ...['--checks', checks.join(','), '--max-examples', String(examples)],
      ...['--phases', 'examples,coverage,fuzzing', '--continue-on-failure', '--no-shrink'],
      ...['--request-timeout', '30', '--warnings', 'off', '--workers', '2'],
      ...['--suppress-health-check', 'all'],
    ],
    { cwd: folder, timeout: 600_000 },
  );
  return { exitCode, report: `${stdout.toString('utf8')}${stderr}` };
}
