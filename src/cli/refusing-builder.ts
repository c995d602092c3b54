import { builderVersion } from '../adapters/builder/buildah.ts';
import { FailureError } from '../builds/failure.ts';
import type { Builder } from '../steps/step.ts';

/** The builder of a process that runs no code of a ref. */
export async function refusingBuilder(refuse: () => FailureError): Promise<Builder> {
  return { tools: await builderVersion(), build: () => Promise.reject(refuse()) };
}

/** On a cluster only pods of their own run code of refs: neither the service nor `prepare`, which have credentials. */
export function noScripts(): FailureError {
  return new FailureError({
    reason: 'not-on-a-cluster',
    detail: 'A downstream patch is a script, which runs code before there is a pod for it.',
    hint: 'Make it a patch file, or bypass it: `"patches": {"OWNER/REPO": {"skip": ["FILE"]}}`. The local engine runs such scripts.',
  });
}
