import type { Diagnosis } from '../api/answers.ts';
import { FailureError, reasons } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { CliContext } from './cli-io.ts';
import { styleOf } from './render/style.ts';

type Check = Diagnosis['checks'][number];

/** What the doctor looks at. Each gives one check or several; what it throws is a check that failed. */
export interface Examination {
  configuration(): Promise<LoadedConfiguration>;
  machine(configuration: LoadedConfiguration | undefined): Promise<readonly Check[]>;
  registries(configuration: LoadedConfiguration): Promise<readonly Check[]>;
  state(configuration: LoadedConfiguration): Promise<readonly Check[]>;
  product(configuration: LoadedConfiguration | undefined): Promise<readonly Check[]>;
}

/** `tributary doctor`: what is missing or wrong here, and how to mend it. Exit code 4 where something is. */
export async function doctor(context: CliContext, examination?: Examination): Promise<number> {
  const { io, globals } = context;
  const looks = examination ?? (await import('./examine.ts')).examine(globals, io);
  const checks: Check[] = [];
  const look = async (name: string, work: () => Promise<readonly Check[]>) => {
    checks.push(...(await work().catch((error: unknown) => failedChecks(name, error))));
  };

  let configuration: LoadedConfiguration | undefined;
  await look('configuration', async () => {
    configuration = await looks.configuration();
    return [{ name: 'configuration', ok: true, detail: configuration.file, hint: null }];
  });
  await look('machine', () => looks.machine(configuration));
  const known = configuration;
  if (known !== undefined) {
    await look('state', () => looks.state(known));
    await look('registry', () => looks.registries(known));
  }
  await look('product', () => looks.product(configuration));

  const diagnosis: Diagnosis = { ok: checks.every(({ ok }) => ok), checks };
  io.out(globals.json ? `${JSON.stringify(diagnosis)}\n` : renderDiagnosis(diagnosis, context));
  return diagnosis.ok ? 0 : reasons['tool-missing'].exit;
}

function failedChecks(name: string, error: unknown): Check[] {
  if (!(error instanceof FailureError)) throw error;
  return error.failures.map(({ detail, hint }) => ({ name, ok: false, detail, hint }));
}

function renderDiagnosis({ ok, checks }: Diagnosis, { io, globals }: CliContext): string {
  const style = styleOf(io, globals);
  const lines = checks.map((check) => {
    const mark = check.ok ? style.green('ok     ') : style.red('missing');
    const hint = check.hint === null ? '' : `\n         ${' '.repeat(14)}${check.hint}`;
    return `${mark}  ${check.name.padEnd(14)}${check.detail}${hint}\n`;
  });
  const wrong = checks.filter((check) => !check.ok).length;
  return `${lines.join('')}${ok ? 'Everything is there.\n' : `${wrong} to mend.\n`}`;
}
