import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { argv } from 'node:process';

/**
 * token-server.ts URL PKI SECRET: whom the cluster's registries believe (https://distribution.github.io/distribution/spec/auth/token/).
 * Anonymous callers may pull; who has the credentials of the file SECRET may do everything.
 */
const [, , url = '', pki = '', secret = ''] = argv;
const key = createPrivateKey(readFileSync(join(pki, 'registry-tokens.key')));
const keyId = identityOf(createPublicKey(readFileSync(join(pki, 'registry-tokens.crt'))));
const { auths } = JSON.parse(readFileSync(secret, 'utf8')) as {
  auths: Record<string, { auth: string }>;
};
const writers = Object.values(auths).map(({ auth }) => auth);
const lifetime = 600;

createServer(({ url: path = '', headers }, response) => {
  const query = new URL(path, url).searchParams;
  const trust = trusted(headers.authorization);
  response.setHeader('content-type', 'application/json');
  if (trust === 'refused') {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="push"' }).end('{}');
    return;
  }
  const service = query.get('service') ?? '';
  const scopes = query.getAll('scope').flatMap((scope) => scope.split(' '));
  const token = tokenOf(service, scopes.flatMap(accessOf(trust)));
  response.end(JSON.stringify({ token, access_token: token, expires_in: lifetime }));
}).listen(Number(new URL(url).port), new URL(url).hostname);

type Trust = 'everything' | 'reading' | 'refused';

/** Some clients that have no credentials send empty ones. */
function trusted(authorization: string | undefined): Trust {
  const given = authorization?.replace(/^Basic /i, '') ?? '';
  if (['', ':'].includes(Buffer.from(given, 'base64').toString())) return 'reading';
  return writers.includes(given) ? 'everything' : 'refused';
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

/** `repository:demo/shell:pull,push` → what of that is granted. */
function accessOf(trust: Trust): (scope: string) => Access[] {
  return (scope) => {
    const [, type, name, actions] = /^([a-z]+):(.+):([a-z,*]+)$/.exec(scope) ?? [];
    if (!type || !name || !actions) return [];
    const wanted = actions.split(',');
    const granted = trust === 'everything' ? wanted : wanted.filter((one) => one === 'pull');
    return [{ type, name, actions: granted }];
  };
}

function tokenOf(service: string, access: readonly Access[]): string {
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = part({ typ: 'JWT', alg: 'ES256', kid: keyId });
  const times = { nbf: now - 60, iat: now, exp: now + lifetime };
  const claims = { iss: 'tributary-test-cluster', sub: '', aud: service, jti: `${now}`, ...times };
  const signed = `${head}.${part({ ...claims, access })}`;
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** How the registry names a key: base32 of the first 240 bits of a hash, in fours. */
function identityOf(key: KeyObject): string {
  const der = key.export({ type: 'spki', format: 'der' });
  const hash = createHash('sha256').update(der).digest().subarray(0, 30);
  const bits = [...hash].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = (bits.match(/.{5}/g) ?? []).map(
    (five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)],
  );
  return (letters.join('').match(/.{4}/g) ?? []).join(':');
}
