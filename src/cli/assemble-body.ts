import { readFile } from 'node:fs/promises';
import type { Components } from '../api/answers.ts';
import type { Service } from '../api/service.ts';
import { demand, FailureError } from '../builds/failure.ts';
import type { KnownComponents } from '../request/check-request.ts';
import { jsonProblem } from '../request/json-problem.ts';
import { matchComponent } from '../request/match-component.ts';
import type { CliContext } from './cli-io.ts';

/** Flags of `build` and `plan`; they are the request's fields. */
export interface RequestFlags {
  readonly name?: string;
  readonly release?: string;
  /** `[COMPONENT=]auto|merge|pick|head`. */
  readonly as?: readonly string[];
  /** `[COMPONENT=]BRANCH`. */
  readonly base?: readonly string[];
  /** `COMPONENT=none` or `COMPONENT=FILE[,FILE…]`. */
  readonly patches?: readonly string[];
  readonly strategy?: string;
  readonly remote?: string;
  readonly notify?: readonly string[];
  readonly rebuild?: true;
  readonly productRef?: string;
  /** A file with a request as JSON, or `-`. */
  readonly request?: string;
}

/** Refs and flags → the body of a request. Flags stand above what `--request` says. */
export async function assembleBody(
  context: CliContext,
  service: Service,
  refs: readonly string[],
  flags: RequestFlags,
): Promise<Record<string, unknown>> {
  const given = flags.request === undefined ? {} : await readRequest(context, flags.request);
  if (refs.length === 0) refuseWithoutRefs(flags);
  const components = refs.length === 0 ? {} : await nameComponents(service, refs, flags);
  return {
    ...given,
    ...optional('name', flags.name),
    ...optional('release', flags.release),
    ...optional('product', flags.productRef),
    ...optional('strategy', flags.strategy),
    ...optional('remote', flags.remote),
    ...(flags.notify === undefined ? {} : { notify: flags.notify }),
    ...(flags.patches === undefined ? {} : { patches: patchesOf(flags.patches) }),
    ...(flags.rebuild ? { rebuild: true } : {}),
    // No ref at all is the product as it is; a request that is read has to say so itself.
    ...(refs.length > 0 || flags.request === undefined
      ? { components: { ...(given['components'] as object | undefined), ...components } }
      : {}),
  };
}

function refuseWithoutRefs({ as, base }: RequestFlags): void {
  const flag = as ? '--as' : base ? '--base' : undefined;
  if (flag !== undefined)
    throw usage(`${flag} is given, and no ref that it is for.`, 'Name the ref, or leave it out.');
}

async function nameComponents(service: Service, refs: readonly string[], flags: RequestFlags) {
  const known = knownComponents(demand(await service.components()));
  const as = byComponent(flags.as ?? [], '--as');
  const base = byComponent(flags.base ?? [], '--base');
  const named: Record<string, unknown> = {};
  for (const text of refs) {
    const { component, ref } = demand(matchComponent(text, known));
    if (component in named) {
      throw usage(`${component} is named twice.`, 'Give one ref for a component.');
    }
    const how = {
      ...optional('as', as.get(component) ?? as.get('')),
      ...optional('base', base.get(component) ?? base.get('')),
    };
    named[component] = Object.keys(how).length === 0 ? ref : { ref, ...how };
  }
  refuseOthers('--as', as, named);
  refuseOthers('--base', base, named);
  return named;
}

/** A flag for a component that no ref is for is a mistake, not a wish. */
function refuseOthers(flag: string, values: ReadonlyMap<string, string>, named: object): void {
  const other = [...values.keys()].find((component) => component !== '' && !(component in named));
  if (other === undefined) return;
  throw usage(
    `${flag} names ${other}, which no ref is for.`,
    `Named are: ${Object.keys(named).join(', ')}.`,
  );
}

function knownComponents({ product, components }: Components): KnownComponents {
  const entries = components.map((component) => [component.name, component]);
  return { product, components: Object.fromEntries(entries) };
}

/** `COMPONENT=VALUE` by component; a value alone is for every ref, under ''. */
function byComponent(values: readonly string[], flag: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const value of values) {
    const split = /^([^/=\s]+\/[^/=\s]+)=(.+)$/.exec(value);
    const key = split?.[1] ?? '';
    if (result.has(key)) {
      throw usage(
        `${flag} is given twice for ${key || 'all refs'}.`,
        `Write ${flag} COMPONENT=VALUE for each.`,
      );
    }
    result.set(key, split?.[2] ?? value);
  }
  return result;
}

function patchesOf(values: readonly string[]) {
  return Object.fromEntries(
    values.map((value) => {
      const split = /^([^=]+)=(.+)$/.exec(value);
      if (split?.[1] === undefined || split[2] === undefined) {
        throw usage(
          `--patches ${value} cannot be read.`,
          'Write COMPONENT=none, or COMPONENT=0001-x.patch,0002-y.patch.',
        );
      }
      return [split[1], split[2] === 'none' ? 'none' : { skip: split[2].split(',') }];
    }),
  );
}

async function readRequest({ io }: CliContext, file: string): Promise<Record<string, unknown>> {
  const where = file === '-' ? 'standard input' : file;
  const text =
    file === '-'
      ? await io.readInput()
      : await readFile(file, 'utf8').catch((error: Error) => {
          throw usage(
            `The request ${file} cannot be read: ${error.message}.`,
            'Name a file with a request as JSON, or - for standard input.',
          );
        });
  try {
    const value: unknown = JSON.parse(text);
    const problem = jsonProblem(text);
    if (problem !== undefined)
      throw usage(`The request in ${where} ${problem}.`, 'Correct it there.');
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (error) {
    if (error instanceof FailureError) throw error;
    throw usage(
      `The request in ${where} is not JSON: ${(error as Error).message}.`,
      'Correct it there.',
    );
  }
  throw usage(
    `The request in ${where} is not a JSON object.`,
    'Write {"name": …, "components": {…}}.',
  );
}

function optional<Key extends string>(key: Key, value: string | undefined) {
  return value === undefined ? {} : { [key]: value };
}

function usage(detail: string, hint: string): FailureError {
  return new FailureError({ reason: 'bad-request', detail, hint });
}
