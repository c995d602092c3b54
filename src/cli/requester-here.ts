import { userInfo } from 'node:os';
import type { CliIo } from './cli-io.ts';

/** Who asks where nothing proves it: the name of this user. */
export function requesterHere({ environment }: CliIo): string {
  return environment['USER'] || userInfo().username;
}
