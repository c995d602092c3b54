import type { Diagnosis } from '../api/answers.ts';
import { FailureError, reasons } from '../builds/failure.ts';
import type { Product } from '../product/product.ts';
import type { CliContext } from './cli-io.ts';
import type { Check, Examination, FoundProduct } from './examination.ts';
import { styleOf } from './render/style.ts';

/** `tributary doctor`: what is missing or wrong here, and how to mend it. Exit code 4 where something is. */
export async function doctor(context: CliContext, examination?: Examination): Promise<number> {
  const { io, globals } = context;
  const looks = examination ?? (await import('./examine.ts')).examine(globals, io);
  const checks: Check[] = [];
  /** What `work` gives, or undefined where it failed: then that is told. */
  const look = async <Found>(
    name: string,
    work: () => Promise<Found>,
  ): Promise<Found | undefined> => {
    try {
      return await work();
    } catch (error) {
      checks.push(...failedChecks(name, error));
      return undefined;
    }
  };

  const configuration = await look('configuration', looks.configuration);
  if (configuration !== undefined) checks.push(well('configuration', configuration.file));
  const described = await look('product', () => looks.product(configuration));
  if (described !== undefined) checks.push(well('product', describeProduct(described)));
  const machine = (await look('machine', () => looks.machine(configuration))) ?? [];
  checks.push(...machine.map((check) => excuse(check, described?.product)));
  if (configuration !== undefined) {
    checks.push(...((await look('state', () => looks.state(configuration))) ?? []));
    checks.push(...((await look('registries', () => looks.registries(configuration))) ?? []));
    if (described !== undefined)
      checks.push(
        ...((await look('releases', () => looks.releases(configuration, described))) ?? []),
      );
  }

  const diagnosis: Diagnosis = { ok: checks.every(({ ok }) => ok), checks };
  io.out(globals.json ? `${JSON.stringify(diagnosis)}\n` : renderDiagnosis(diagnosis, context));
  return diagnosis.ok ? 0 : reasons['tool-missing'].exit;
}

function failedChecks(name: string, error: unknown): Check[] {
  if (!(error instanceof FailureError)) throw error;
  return error.failures.map(({ detail, hint }) => ({ name, ok: false, detail, hint }));
}

function well(name: string, detail: string): Check {
  return { name, ok: true, detail, hint: null };
}

function describeProduct({ file, product }: FoundProduct): string {
  const components = Object.keys(product.components).length;
  return `${file}: ${product.product}, ${components} components, ${Object.keys(product.images).length} images`;
}

/** kustomize may be missing where no product is known to use it. */
function excuse(check: Check, product: Product | undefined): Check {
  const needed =
    product !== undefined &&
    Object.values(product.components).some(({ payload }) => payload?.render === 'kustomize');
  if (check.ok || needed || !check.name.endsWith('kustomize')) return check;
  return {
    ...check,
    ok: true,
    detail: `${check.detail}; only products with a kustomize payload need it`,
    hint: null,
  };
}

function renderDiagnosis({ ok, checks }: Diagnosis, { io, globals }: CliContext): string {
  const style = styleOf(io, globals);
  const width = Math.max(...checks.map(({ name }) => name.length));
  const lines = checks.map((check) => {
    const mark = check.ok ? style.green('ok   ') : style.red('wrong');
    const hint = check.hint === null ? '' : `\n  ${check.hint}`;
    return `${mark}  ${check.name.padEnd(width)}  ${check.detail}${hint}\n`;
  });
  const wrong = checks.filter((check) => !check.ok).length;
  return `${lines.join('')}${ok ? 'Everything is there.\n' : `${wrong} to mend.\n`}`;
}
