import { createHash } from 'node:crypto';

/** Labels and annotations of a run: by them builds are found, listed and told apart. */
export const tagLabel = 'tributary.dev/tag';
export const nameLabel = 'tributary.dev/name';
export const attemptLabel = 'tributary.dev/attempt';
export const requesterLabel = 'tributary.dev/requester';
/** The whole requester, where it is no label value. */
export const requesterAnnotation = 'tributary.dev/requester';
/** Digest of the lock: two runs of one tag must agree. */
export const lockAnnotation = 'tributary.dev/lock-digest';
/** The build as it was asked for, as JSON. */
export const buildAnnotation = 'tributary.dev/build';
/** Where people see the build. */
export const linkAnnotation = 'tributary.dev/link';
/** Tells the run that one call created from that of another with the same name. */
export const submissionAnnotation = 'tributary.dev/submission';
/** When the build was asked for, to the millisecond (RFC 3339): the cluster's own times are whole seconds. */
export const askedAnnotation = 'tributary.dev/asked-at';
/** When somebody asked that it be cancelled (RFC 3339). */
export const cancelAnnotation = 'tributary.dev/cancel-requested';
/** What a finished run came to, packed: so that it need not be worked out again. */
export const outcomeAnnotation = 'tributary.dev/outcome';

/** The label that a run has for each component that its request named. */
export function componentLabel(component: string): string {
  return `component.tributary.dev/${labelValue(component.replaceAll('/', '.'))}`;
}

/** A text as a label value: itself where it is one, else shortened, with 16 digits of its hash. */
export function labelValue(text: string): string {
  if (/^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/.test(text) && text.length <= 63) return text;
  const plain = text.replace(/[^-A-Za-z0-9_.]/g, '-').replace(/^[^A-Za-z0-9]+/, '');
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return `${plain.slice(0, 46)}.${hash}`.replace(/^\./, '');
}
