import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';
import type { DemoWorld } from './demo-world.ts';
import { serviceRig } from './service.ts';
import { smallProduct } from './small-demo.ts';

const program = join(import.meta.dirname, '../../.tools/python/bin/schemathesis');

/**
 * Asks a service of the small product whatever its /openapi.json allows and does not allow, `examples` times for each operation;
 * gives the exit code and what was found. A 5xx, a status, type or header that is not described, or a body of another
 * shape is a finding.
 */
export async function askBySchema(
  world: DemoWorld,
  examples: number,
): Promise<{ readonly exitCode: number; readonly report: string }> {
  await using rig = serviceRig(world, { limits: { builds: 1 } }, { product: smallProduct });
  const { url } = await rig.start();
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
      // One worker: threads that parse at once crash Python before 3.11.5.
      ...['--request-timeout', '30', '--warnings', 'off', '--workers', '1'],
      ...['--suppress-health-check', 'all'],
    ],
    { cwd: rig.state, timeout: 600_000 },
  );
  return { exitCode, report: `${stdout.toString('utf8')}${stderr}` };
}
