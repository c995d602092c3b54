import { FailureError } from '../builds/failure.ts';
import type { TokenSource } from './caller-token.ts';

/** What goes with the requests to one service. */
export interface Authorization {
  /** Header that says who calls; undefined as long as nobody wants to know. */
  header(): string | undefined;
  /** Gets a token because the service asks for one; false where one was sent already. */
  answerChallenge(challenge: string | null): Promise<boolean>;
}

/**
 * Keeps a token for the service at `root`, and sends it nowhere else and over no network in the clear. One of the kubeconfig is a key to the cluster: it is sent only
 * when the service says that it asks who calls.
 */
export function authorize(root: string, source: TokenSource | undefined): Authorization {
  let token = source?.given;
  if (token !== undefined) demandPrivacy(root);
  return {
    header: () => (token === undefined ? undefined : `Bearer ${token}`),
    async answerChallenge(challenge) {
      if (token !== undefined || source === undefined) return false;
      if (!/^Bearer realm="tributary"/i.test(challenge ?? '')) return false;
      demandPrivacy(root);
      token = await source.find();
      return true;
    },
  };
}

function demandPrivacy(root: string): void {
  const { protocol, hostname, host } = new URL(root);
  const here = /^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(hostname);
  if (protocol === 'https:' || here) return;
  throw new FailureError({
    reason: 'bad-request',
    detail: `A token is not sent to ${host} over plain HTTP: everybody on the way could use it.`,
    hint: `Name the service by HTTPS: --server https://${host}; or bring it here: kubectl port-forward service/tributary 8080, and --server http://127.0.0.1:8080.`,
  });
}
