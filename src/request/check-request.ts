import type { Failure, Outcome } from '../builds/failure.ts';
import { ok } from '../builds/result.ts';
import type { PatchPolicy, Strategy } from '../plan/lock.ts';
import type { ComponentName } from '../plan/names.ts';
import type { Product } from '../product/product.ts';
import { defaultStrategy, type StrategyRules, strategyProblems } from './check-strategy.ts';
import { didYouMean } from './nearest.ts';
import type { BuildRequest, RequestParts, Wish } from './parse-request.ts';
import { quote } from './quote.ts';
import { pointerTo } from './shape-problems.ts';

/** What of the configuration a request may use: remotes (which one is the default), notify targets, strategies. */
export interface KnownNames extends StrategyRules {
  readonly remotes: Readonly<
    Record<string, StrategyRules['remotes'][string] & { readonly default: boolean }>
  >;
  readonly notify: Readonly<Record<string, unknown>>;
}

/** A request whose every name is known, by canonical names and with defaults filled in. */
export interface CheckedRequest {
  readonly name: string;
  readonly components: Readonly<Record<ComponentName, Wish>>;
  readonly patches: Readonly<Record<ComponentName, PatchPolicy>>;
  readonly notify: readonly string[];
  readonly rebuild: boolean;
  readonly release: string;
  readonly strategy: Strategy;
  readonly remote: string;
  readonly product?: Wish;
}

/** What components are called and where they are: of a product, or of what a service tells about one. */
export interface KnownComponents {
  readonly product: string;
  readonly components: Readonly<
    Record<
      ComponentName,
      { readonly aliases: readonly string[]; readonly repository?: string | undefined }
    >
  >;
}

/** Looks up every name of a request; all unknown ones are told at once, each with the nearest known. */
export function checkRequest(
  request: BuildRequest,
  product: Product,
  known: KnownNames,
): Outcome<CheckedRequest> {
  const { failures, checked } = checkParts(request, product, known);
  const [first, ...rest] = failures;
  if (first !== undefined) return { ok: false, failures: [first, ...rest] };
  // Without failures there is a release and a remote.
  return ok(checked as CheckedRequest);
}

/** Looks up the names of what could be read; `checked`: what of it can be resolved, if anything. */
export function checkParts(
  request: RequestParts,
  product: Product,
  known: KnownNames,
): { failures: readonly Failure[]; checked: CheckedRequest | undefined } {
  const failures: Failure[] = [];
  const components = canonicalNames('components', request.components, product, failures);
  const patches = canonicalNames('patches', request.patches, product, failures);
  for (const written of Object.keys(request.patches)) {
    const name = findComponent(written, product);
    if (name !== undefined && product.components[name]?.patches === undefined) {
      failures.push(withoutPatches(name, written));
    }
  }
  const release = request.release ?? defaultOf(product.releases);
  const remote = request.remote ?? defaultOf(known.remotes);
  checkName('unknown-release', ['release'], release, Object.keys(product.releases), failures);
  checkName('unknown-remote', ['remote'], remote, Object.keys(known.remotes), failures);
  request.notify.forEach((target) => {
    checkName('unknown-notify-target', ['notify'], target, Object.keys(known.notify), failures);
  });
  const strategy = request.strategy ?? defaultStrategy(product);
  failures.push(...strategyProblems(strategy, remote, product, known));
  const { name, notify, rebuild, product: wish } = request;
  if (!isOf(product.releases, release) || !isOf(known.remotes, remote)) {
    return { failures, checked: undefined };
  }
  const checked = {
    ...{ name, components: readable(components), patches, rebuild, release, strategy, remote },
    notify: [...notify].sort(),
    ...(wish && { product: wish }),
  };
  return { failures, checked };
}

function isOf(known: object, name: string | undefined): name is string {
  return name !== undefined && Object.hasOwn(known, name);
}

function readable(wishes: Readonly<Record<ComponentName, Wish | undefined>>) {
  const read = Object.entries(wishes).filter(([, wish]) => wish !== undefined);
  return Object.fromEntries(read) as Record<ComponentName, Wish>;
}

/** The component that a name or alias means, without regard to case. */
export function findComponent(name: string, product: KnownComponents): ComponentName | undefined {
  const wanted = name.toLowerCase();
  const components = Object.entries(product.components) as [
    ComponentName,
    KnownComponents['components'][ComponentName],
  ][];
  const own = components.find(([component]) => component.toLowerCase() === wanted);
  const alias = components.find(([, { aliases }]) =>
    aliases.some((other) => other.toLowerCase() === wanted),
  );
  return (own ?? alias)?.[0];
}

/** Every name and alias of the product's components. */
function componentNames(product: KnownComponents): string[] {
  return Object.entries(product.components).flatMap(([name, { aliases }]) => [name, ...aliases]);
}

function canonicalNames<Value>(
  key: 'components' | 'patches',
  values: Readonly<Record<string, Value>>,
  product: Product,
  failures: Failure[],
): Record<ComponentName, Value> {
  const found = new Map<ComponentName, { readonly written: string; readonly value: Value }>();
  for (const [written, value] of Object.entries(values)) {
    const name = findComponent(written, product);
    const other = name === undefined ? undefined : found.get(name);
    if (name === undefined) failures.push(unknownComponent(written, [key, written], product));
    else if (other !== undefined)
      failures.push(twice(name, other.written, written, [key, written]));
    else found.set(name, { written, value });
  }
  return Object.fromEntries([...found].map(([name, { value }]) => [name, value])) as Record<
    ComponentName,
    Value
  >;
}

/** The failure of a component that the product does not have; a short list shows all that it has. */
export function unknownComponent(
  name: string,
  path: readonly string[],
  product: KnownComponents,
): Failure {
  const names = Object.keys(product.components);
  return {
    reason: 'unknown-component',
    detail: `${quote(name)} is no component of ${product.product}.`,
    hint: didYouMean(name, componentNames(product)) ?? `Components: ${names.join(', ')}.`,
    pointer: pointerTo(path),
  };
}

function twice(
  name: ComponentName,
  first: string,
  second: string,
  path: readonly string[],
): Failure {
  return {
    reason: 'bad-request',
    detail: `${quote(first)} and ${quote(second)} are both names of ${name}.`,
    hint: 'Keep one of them: a component takes one ref.',
    pointer: pointerTo(path),
  };
}

function withoutPatches(name: ComponentName, written: string): Failure {
  return {
    reason: 'unknown-patch',
    detail: `The product has no patches of ${name}.`,
    hint: `Leave ${written} out of "patches".`,
    pointer: pointerTo(['patches', written]),
  };
}

function defaultOf(
  choices: Readonly<Record<string, { readonly default: boolean }>>,
): string | undefined {
  const names = Object.keys(choices);
  const [only] = names;
  return names.find((name) => choices[name]?.default) ?? (names.length === 1 ? only : undefined);
}

function checkName(
  reason: 'unknown-release' | 'unknown-remote' | 'unknown-notify-target',
  path: readonly string[],
  name: string | undefined,
  known: readonly string[],
  failures: Failure[],
): void {
  if (name !== undefined && known.includes(name)) return;
  const what = reason.slice('unknown-'.length).replace('-', ' ');
  const list = known.length === 0 ? `No ${what} is configured.` : `Known: ${known.join(', ')}.`;
  failures.push({
    reason,
    detail:
      name === undefined
        ? `The request names no ${what}, and there is no default.`
        : `${quote(name)} is no ${what}.`,
    hint: (name === undefined ? undefined : didYouMean(name, known)) ?? list,
    pointer: pointerTo(path),
  });
}
