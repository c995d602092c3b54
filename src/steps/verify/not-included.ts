import type { Failure } from '../../builds/failure.ts';

/** What was looked at, and how it differs from what the plan says. */
export interface Difference {
  /** The component whose code is at stake; null where it is none in particular. */
  readonly component: string | null;
  /** `image/<name>`, `payload`, `manifests`, `source`, `bundle`, `index`. */
  readonly place: string;
  /** What is wrong there: a sentence. */
  readonly what: string;
  readonly expected: string;
  readonly found: string;
}

/** A difference as the failure that ends a build: green must mean that it is in there. */
export function notIncluded({ component, place, what, expected, found }: Difference): Failure {
  const whose = component === null ? '' : ` (${component})`;
  return {
    reason: 'not-included',
    detail: `${place}${whose}: ${what} Expected ${expected}, found ${found}.`,
    hint: 'Do not install this bundle. Build again with `rebuild: true`; if that ends the same way, report it with the record of this build.',
    about: { ...(component !== null && { component }), place, expected, found },
  };
}
