import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { ComponentName } from '../plan/names.ts';
import { findComponent, type KnownComponents, unknownComponent } from './check-request.ts';
import { orList } from './nearest.ts';
import { quote } from './quote.ts';
import { parseRef, parseRepository, type Ref, renderRef } from './ref.ts';
import type { Repository } from './repository.ts';

/** A component and the text of the ref that is meant for it. */
export interface Match {
  readonly component: ComponentName;
  readonly ref: string;
}

/**
 * Which component a ref without a map (`tributary build REF…`) is for: the one that is named before it
 * (`tektoncd/pipeline=me/x#branch`), else the one whose repository, alias or usual fork name
 * (`vdemeester/tektoncd-pipeline`, `me/pipeline`) the ref has.
 */
export function matchComponent(text: string, product: KnownComponents): Outcome<Match> {
  const named = /^([\w.-]+\/[\w.-]+)=(.*)$/s.exec(text);
  if (named !== null) return matchNamed(named[1] ?? '', named[2] ?? '', product);
  const parsed = parseRef(text);
  if (!parsed.ok) return parsed;
  const found = componentsAt(parsed.value.repository, product);
  const [component, ...others] = found;
  if (component !== undefined && others.length === 0) return ok({ component, ref: text });
  return failed(
    found.length === 0 ? noComponent(parsed.value, product) : ambiguous(parsed.value, found),
  );
}

function matchNamed(name: string, ref: string, product: KnownComponents): Outcome<Match> {
  const component = findComponent(name, product);
  if (component === undefined) {
    const { pointer: _, ...failure } = unknownComponent(name, [], product);
    return failed(failure);
  }
  const parsed = parseRef(ref, component);
  return parsed.ok ? ok({ component, ref }) : parsed;
}

/** The components that a repository, or a fork of it, is of: more than one where its name fits several. */
export function componentsAt(repository: Repository, product: KnownComponents): ComponentName[] {
  const own = componentsOf(repository, product);
  if (own.length > 0) return own;
  const path = repository.path.toLowerCase();
  const repo = path.slice(path.lastIndexOf('/') + 1);
  const byFullName = componentsNamed((name) => name.replace('/', '-') === repo, product);
  if (byFullName.length > 0) return byFullName;
  return componentsNamed((name) => name.slice(name.indexOf('/') + 1) === repo, product);
}

/** The components whose own repository it is: by URL, name or alias. */
export function componentsOf(repository: Repository, product: KnownComponents): ComponentName[] {
  const components = Object.keys(product.components) as ComponentName[];
  const byUrl = components.filter((name) =>
    isAt(product.components[name]?.repository, repository.url),
  );
  if (byUrl.length > 0) return byUrl;
  const path = repository.path.toLowerCase();
  return componentsNamed((name) => name === path, product);
}

function componentsNamed(
  fits: (name: string) => boolean,
  product: KnownComponents,
): ComponentName[] {
  return (Object.keys(product.components) as ComponentName[]).filter((name) =>
    [name, ...(product.components[name]?.aliases ?? [])].some((known) => fits(known.toLowerCase())),
  );
}

function isAt(text: string | undefined, url: string): boolean {
  const parsed = text === undefined ? undefined : parseRepository(text);
  return parsed?.ok === true && parsed.value.url === url;
}

function noComponent(ref: Ref, product: KnownComponents): Failure {
  const names = Object.keys(product.components);
  return {
    reason: 'unknown-component',
    detail: `${quote(ref.repository.path)} is not the repository of a component, and has not the name of a fork of one.`,
    hint: `Say which it is: ${names[0] ?? 'COMPONENT'}=${renderRef(ref)}. Components: ${names.join(', ')}.`,
  };
}

function ambiguous(ref: Ref, found: readonly ComponentName[]): Failure {
  return {
    reason: 'unknown-component',
    detail: `${quote(ref.repository.path)} could be a fork of ${orList(found)}.`,
    hint: `Say which it is: ${found[0]}=${renderRef(ref)}`,
  };
}
