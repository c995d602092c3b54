import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadedConfiguration } from '../../config/load-config.ts';
import type { Make, MakeRun } from '../../steps/step.ts';
import { TailBuffer } from '../../steps/tail-buffer.ts';
import { gitEnvironment } from '../git/git-settings.ts';
import { networkVariables, run, toolMissing } from '../processes/command.ts';
import { contained, privilege as ownPrivilege } from '../processes/sandbox.ts';
import { insecureRegistriesConf, registriesConf } from '../registry/reach.ts';
import { explainTargetFailure } from './make-failure.ts';
import { makeScratchStorage } from './scratch-storage.ts';

const script = fileURLToPath(new URL('./make.sh', import.meta.url));

type MakeConfiguration = Pick<
  LoadedConfiguration,
  'state' | 'urls' | 'git' | 'mirrors' | 'registries' | 'remotes' | 'authfile'
>;

/**
 * GNU make, in namespaces that end with us, with container storage of its own. How to reach registries and git
 * servers stands in the files and variables that their programs read, so that no Makefile has to know.
 */
export function createMake(configuration: MakeConfiguration): Make {
  return {
    async run(make, { log, progress }, signal) {
      const privilege = ownPrivilege();
      await using scratch = await makeScratchStorage(
        join(configuration.state, 'storage'),
        privilege,
      );
      const env = await makeEnvironment(scratch.folder, make, configuration);
      const variables = Object.entries(make.variables).map(([name, value]) => `${name}=${value}`);
      for (const target of make.targets) {
        progress(`make ${target}`);
        const command = ['make', '--no-print-directory', ...variables, target];
        const line = contained(privilege, ['sh', script, scratch.groupName, ...command], {
          network: true,
        });
        const output = new TailBuffer(256 * 1024);
        const { exitCode } = await run(line.program, line.args, {
          cwd: make.folder,
          env: { ...line.env, ...env },
          inherit: networkVariables,
          ...{ signal, maxOutput: 0, grace: 0 },
          onOutput: (text) => {
            output.push(Buffer.from(text));
            log(text);
          },
        });
        if (exitCode === 127) throw toolMissing('make', 'it is not installed');
        if (exitCode !== 0)
          throw explainTargetFailure({ target, exitCode, output: output.bytes().toString() });
      }
    },
  };
}

/** What the targets' programs read: git, and everything that follows the customs of containers/image and containers/storage. */
async function makeEnvironment(
  scratch: string,
  { repositories, tag, remote }: MakeRun,
  configuration: MakeConfiguration,
): Promise<Record<string, string>> {
  const [home, temporary, runtime] = ['home', 'tmp', 'run'].map((name) => join(scratch, name)) as [
    string,
    string,
    string,
  ];
  const containers = join(home, '.config', 'containers');
  for (const folder of [containers, temporary, runtime]) await mkdir(folder, { recursive: true });
  const files = {
    [join(containers, 'registries.conf')]:
      registriesConf(configuration) + insecureRegistriesConf(configuration),
    [join(containers, 'policy.json')]: '{"default":[{"type":"insecureAcceptAnything"}]}\n',
    [join(scratch, 'storage.conf')]: storageConf(scratch),
    [join(scratch, 'no-credentials.json')]: '{}\n',
  };
  for (const [file, text] of Object.entries(files)) await writeFile(file, text);

  const exported = join(configuration.state, 'git', tag);
  const rewrites = Object.entries(repositories).map(([url, path]) => [url, join(exported, path)]);
  return {
    ...gitEnvironment(
      {
        urls: { ...configuration.urls, ...Object.fromEntries(rewrites) },
        credentials: {},
        protocols: ['file', 'http', 'https'],
        ...(configuration.git.ca === undefined ? {} : { ca: configuration.git.ca }),
      },
      [['safe.directory', '*']],
    ),
    ...{ HOME: home, TMPDIR: temporary, XDG_RUNTIME_DIR: runtime },
    CONTAINERS_REGISTRIES_CONF: join(containers, 'registries.conf'),
    CONTAINERS_STORAGE_CONF: join(scratch, 'storage.conf'),
    REGISTRY_AUTH_FILE:
      configuration.remotes[remote]?.authfile ?? join(scratch, 'no-credentials.json'),
  };
}

function storageConf(scratch: string): string {
  const folder = (name: string) => JSON.stringify(join(scratch, 'containers', name));
  return [
    '[storage]',
    'driver = "overlay"',
    `graphroot = ${folder('root')}`,
    `rootless_storage_path = ${folder('root')}`,
    `runroot = ${folder('run')}`,
    '',
  ].join('\n');
}
