import { readFile } from 'node:fs/promises';

/** The passwords that a containers-auth.json(5) holds, and each pair of user and password as it is sent; none where it cannot be read. */
export async function authfileSecrets(file: string): Promise<readonly string[]> {
  try {
    const { auths = {} } = JSON.parse(await readFile(file, 'utf8')) as {
      auths?: Readonly<Record<string, { readonly auth?: string }>>;
    };
    return Object.values(auths).flatMap(({ auth }) => {
      if (auth === undefined) return [];
      const pair = Buffer.from(auth, 'base64').toString();
      return [auth, pair, pair.slice(pair.indexOf(':') + 1)];
    });
  } catch {
    return [];
  }
}
