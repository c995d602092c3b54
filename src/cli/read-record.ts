import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { Build as BuildSchema } from '../api/schema.ts';
import { attemptName } from '../builds/attempt-name.ts';
import type { Build, NewBuild } from '../builds/build.ts';
import { eventId } from '../builds/event.ts';
import { foldBuild, isFinished } from '../builds/fold.ts';
import { type DatedChange, recallBuild } from '../builds/recall-build.ts';
import { type FileTree, readText, subtree } from '../plan/file-tree.ts';
import type { Lock } from '../plan/lock.ts';
import type { Plan, StepOutputs } from '../plan/plan.ts';
import { lockDigest, pipelinerunName, tagFor, tagHex } from '../plan/tag.ts';
import { productDigest } from '../product/load-product.ts';
import type { Product } from '../product/product.ts';
import type { Artifact } from '../steps/artifact.ts';

/** A build as its record tells it: what a store is given to have it again. */
export interface RecalledBuild {
  readonly asked: NewBuild;
  readonly attempt: number;
  readonly changes: readonly DatedChange[];
  readonly finishedAt: string;
  /** Name of a log file → its text. */
  readonly logs: ReadonlyMap<string, Buffer>;
}

/** Of a log that a record holds, unpacked. */
const longestLog = 8 * 2 ** 20;

/**
 * Reads a record. Whoever may push to the remote may have written it: lock, tag, product and run must belong together, and all
 * else must have its shape. Gives what is wrong as a text.
 */
export function readRecord(record: Artifact): RecalledBuild | string {
  try {
    return recall(record);
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error);
  }
}

function recall({ kind, digest, files }: Artifact): RecalledBuild | string {
  if (kind !== 'record') return `it is no record, but a ${kind}`;
  const build = BuildSchema.safeParse(readJson(files, 'build.json'));
  if (!build.success) return `its build.json is none: ${z.prettifyError(build.error)}`;
  // The schema says what the types say, but for the brands of strings.
  const status = build.data as unknown as Build;
  const lock = readJson(files, 'lock.json') as Lock;
  const product = (files.has('plan.json')
    ? (readJson(files, 'plan.json') as Plan).product
    : readJson(files, 'product.json')) as unknown as Product;
  const outputs = readJson(files, 'outputs.json') as StepOutputs;
  const { tag, attempt } = status;
  const stated = lockDigest(lock);
  const pipelinerun = pipelinerunName(tag);
  if (tagFor(lock.name, stated, tagHex(tag).length) !== tag)
    return 'its lock is not that of its tag';
  if (lock.product.file !== productDigest(product)) return 'its product is not that of its lock';
  if (attemptName(pipelinerun, attempt) !== status.pipelinerun)
    return 'its run is not that of its tag';
  if (!isFinished(status.state)) return `it says that the build is ${status.state}`;
  const asked: NewBuild = {
    ...{ tag, pipelinerun, product, lock, lockDigest: stated, read: status.components },
    ...{ requester: status.requester, notify: [], rebuild: false },
  };
  const changes = recallBuild(status, outputs, { kind: 'report', digest });
  // What cannot be shown is not kept: the fold throws on what has another shape.
  const events = changes.map(({ at, change }) => ({
    ...change,
    ...{ id: eventId(attempt, change), at, attempt },
  }));
  if (foldBuild(asked, events).state !== status.state) return 'its steps do not come to its state';
  const finishedAt = status.finishedAt ?? status.createdAt;
  return { asked, attempt, changes, finishedAt, logs: readLogs(files) };
}

function readJson(files: FileTree, name: string): unknown {
  const text = readText(files, name);
  if (text === undefined) throw new Error(`it has no ${name}`);
  return JSON.parse(text);
}

function readLogs(files: FileTree): ReadonlyMap<string, Buffer> {
  const packed = [...subtree(files, 'logs')].filter(([name]) => /^[\w.~-]+\.log\.gz$/.test(name));
  return new Map(
    packed.map(([name, { content }]) => [
      name.slice(0, -'.gz'.length),
      gunzipSync(content, { maxOutputLength: longestLog }),
    ]),
  );
}
