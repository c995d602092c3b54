import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { exampleBuild, FakeService } from '../../test/support/fake-service.ts';
import type { Access, Permission } from '../access/caller.ts';
import { type RememberedAccess, rememberedAccess } from '../access/remembered-access.ts';
import { FailureError } from '../builds/failure.ts';
import { createApp } from './app.ts';
import { permissionOf, permissions } from './guard-routes.ts';
import { createMetrics } from './metrics.ts';
import type { App, AppParts } from './parts.ts';

const tag = exampleBuild.tag;
let service: FakeService;
let app: App;
let rights: Set<Permission>;
let away: boolean;
let time: number;

let reviews: number;
const asked: Access = {
  identify: async (token) => {
    reviews += 1;
    if (away)
      throw new FailureError({
        reason: 'cluster-unavailable',
        detail: 'It is away.',
        hint: 'Wait.',
      });
    const [, user] = /^of-(.+)$/.exec(token) ?? [];
    return user === undefined ? undefined : { user, uid: `uid-${user}`, groups: [], extra: {} };
  },
  allows: async (_caller, permission) => rights.has(permission),
};

let access: RememberedAccess;

beforeEach(async () => {
  [service, rights, away, time] = [new FakeService(), new Set(), false, 0];
  reviews = 0;
  access = { ...asked, knows: () => false };
  app = await createApp(parts());
});
afterEach(() => app.close());

function parts(): AppParts {
  return {
    service,
    git: { advertise: async () => undefined, uploadPack: async () => undefined },
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
    guard: { access, namespace: 'tributary', perMinute: 60, now: () => time },
  };
}

const ada = { authorization: 'Bearer of-ada' };
const routes = Object.keys(permissions).map((route) => {
  const [method = '', url = ''] = route.split(' ');
  const path = url
    .replace(':tag', tag)
    .replace(':commit', 'a'.repeat(40))
    .replace(':owner/:repo', 'a/b')
    .replace('*', 'image/x/log');
  return { route, method: method as 'GET' | 'POST' | 'DELETE', path };
});
const guarded = routes.filter(({ route }) => permissions[route] !== 'open');

describe('every route stands in the table', () => {
  test('and the table names no other', () => {
    const names = routes.filter(({ method, route }) =>
      app.hasRoute({ method, url: route.split(' ')[1] ?? '' }),
    );
    expect(names).toHaveLength(routes.length);
  });

  test('one that does not cannot be made', async () => {
    for (const guard of [undefined, parts().guard]) {
      const { guardRoutes } = await import('./guard-routes.ts');
      const { default: Fastify } = await import('fastify');
      const other = Fastify() as unknown as App;
      guardRoutes(other, guard);
      expect(() => other.get('/api/secrets', () => '')).toThrow('no row of guard-routes.ts');
    }
  });
});

describe.for(guarded)('$route', ({ route, method, path }) => {
  const permission = permissionOf(method, route.split(' ')[1] ?? '') as Permission;
  const ask = (headers: Record<string, string> = ada) =>
    app.inject({ method, url: path, headers, ...(method === 'POST' ? { payload: '{}' } : {}) });

  test('asks who calls', async () => {
    const answer = await ask({});
    expect([answer.statusCode, answer.headers['www-authenticate']]).toEqual([
      401,
      'Bearer realm="tributary"',
    ]);
    expect(answer.json()).toMatchObject({
      reason: 'not-authenticated',
      hint: expect.stringContaining('-H "Authorization: Bearer $(oc whoami -t)"'),
    });
  });

  test(`is for those who may ${permission}, and for no others`, async () => {
    rights = new Set(
      (['get', 'create', 'update', 'approve', 'withdraw'] as const).filter(
        (one) => one !== permission,
      ),
    );
    const refused = await ask();
    expect([refused.statusCode, refused.json().reason]).toEqual([403, 'not-permitted']);
    rights = new Set([permission]);
    expect([401, 403]).not.toContain((await ask()).statusCode);
  });

  test('does nothing for anybody while the cluster does not answer', async () => {
    away = true;
    rights = new Set([permission]);
    const answer = await ask();
    expect([answer.statusCode, answer.json().reason]).toEqual([502, 'cluster-unavailable']);
    expect(service.bodies).toEqual([]);
  });
});

test.for(routes.filter(({ route }) => permissions[route] === 'open'))(
  '$route is open to all',
  async ({ method, path }) => {
    expect((await app.inject({ method, url: path })).statusCode).toBe(200);
  },
);

describe('a refusal says what helps', () => {
  test('which verb on what is missing, and how to find out', async () => {
    const answer = await app.inject({ method: 'POST', url: '/', payload: {}, headers: ada });
    expect(answer.json()).toMatchObject({
      detail: '"ada" may not create pipelineruns.tekton.dev in the namespace tributary.',
      hint: expect.stringContaining(
        'kubectl auth can-i create pipelineruns.tekton.dev --subresource=build -n tributary',
      ),
    });
    const approving = await app.inject({
      ...{ method: 'POST', url: '/api/approvals', payload: {}, headers: ada },
    });
    expect(approving.json()).toMatchObject({
      detail: expect.stringContaining('may not create pipelineruns.tekton.dev/approval'),
      hint: expect.stringContaining('can-i create pipelineruns.tekton.dev --subresource=approval'),
    });
  });

  test.for([
    ['another scheme', 'Basic YTpi', 'no bearer token'],
    ['nothing after the scheme', 'Bearer ', 'no bearer token'],
    ['a token of nobody', 'Bearer expired', 'does not know the token'],
  ])('%s', async ([, authorization = '', detail]) => {
    const answer = await app.inject({ url: '/api/builds', headers: { authorization } });
    expect([answer.statusCode, answer.json().detail]).toEqual([
      401,
      expect.stringContaining(detail ?? ''),
    ]);
    expect(answer.body).not.toContain('expired"');
  });

  test('a body that nobody may send is not read', async () => {
    const answer = await app.inject({ method: 'POST', url: '/', payload: 'x'.repeat(70_000) });
    expect(answer.statusCode).toBe(401);
  });
});

describe('who asked', () => {
  test('is the identity, whatever the request says of itself', async () => {
    rights = new Set(['create']);
    await app.inject({
      ...{ method: 'POST', url: '/', payload: {} },
      headers: { ...ada, 'x-tributary-requester': 'eve' },
    });
    expect(service.requesters).toEqual(['ada']);
  });

  test('is kept with an approval', async () => {
    rights = new Set(['approve', 'get']);
    const commit = 'a'.repeat(40);
    const payload = { ref: 'tektoncd/pipeline#4638', commit };
    const post = { method: 'POST', url: '/api/approvals', payload } as const;
    expect((await app.inject({ ...post, headers: ada })).statusCode).toBe(201);
    const again = await app.inject({ ...post, headers: { authorization: 'Bearer of-bob' } });
    expect([again.statusCode, again.json()]).toEqual([
      200,
      expect.objectContaining({ by: 'ada', outcome: 'known' }),
    ]);
    const list = await app.inject({ url: '/api/approvals', headers: ada });
    expect(list.json().approvals).toMatchObject([{ commit, by: 'ada' }]);
  });
});

describe('too many requests', () => {
  test('of one identity are refused with the time to wait, those of others are not', async () => {
    rights = new Set(['get']);
    const ask = async (who: string) =>
      app.inject({ url: '/api/builds', headers: { authorization: `Bearer of-${who}` } });
    for (let request = 0; request < 60; request += 1)
      expect((await ask('ada')).statusCode).toBe(200);
    const refused = await ask('ada');
    expect([refused.statusCode, refused.headers['retry-after'], refused.json().reason]).toEqual([
      429,
      '1',
      'too-many-requests',
    ]);
    expect((await ask('bob')).statusCode).toBe(200);
    time = 1000;
    expect((await ask('ada')).statusCode).toBe(200);
  });
});

describe('tokens that are nobody’s', () => {
  const ask = async (token: string, remoteAddress = '192.0.2.1') => {
    const headers = { authorization: `Bearer ${token}` };
    return (await app.inject({ url: '/api/builds', headers, remoteAddress })).statusCode;
  };

  test('are reviewed so often for one address, and no longer for a while', async () => {
    rights = new Set(['get']);
    access = rememberedAccess(asked, () => time);
    await app.close();
    app = await createApp(parts());
    expect(await ask('of-ada')).toBe(200);
    for (let made = 0; made < 60; made += 1) expect(await ask(`made-up-${made}`)).toBe(401);
    expect([await ask('another'), await ask('of-bob'), reviews]).toEqual([429, 429, 61]);
    // Who is known goes on, and so does everybody elsewhere.
    expect([await ask('of-ada'), await ask('of-bob', '192.0.2.2')]).toEqual([200, 200]);
    time = 1000;
    expect(await ask('another')).toBe(401);
  });

  test('lock out nobody behind the same proxy who was let in within the hour', async () => {
    rights = new Set(['get']);
    access = rememberedAccess(asked, () => time);
    await app.close();
    app = await createApp(parts());
    expect(await ask('of-ada')).toBe(200);
    // Ada sends a request each minute, and what the cluster says of her counts for half of one.
    for (time = 60_000; time <= 600_000; time += 60_000) {
      for (let made = 0; made < 60; made += 1) await ask(`made-up-${time}-${made}`);
      expect([await ask('another'), await ask('of-ada')]).toEqual([429, 200]);
    }
  });

  test('cost those nothing whose token is one', async () => {
    rights = new Set(['get']);
    for (let who = 0; who < 100; who += 1) expect(await ask(`of-${who}`)).toBe(200);
  });
});

test('a page of another site gets no further than any other caller without a token', async () => {
  const answer = await app.inject({
    ...{
      url: '/api/builds',
      headers: { host: 'tributary.example.com', origin: 'https://evil.example' },
    },
  });
  expect(answer.statusCode).toBe(401);
  expect(answer.headers['access-control-allow-origin']).toBeUndefined();
});

test('readiness tells that the cluster does not say who may do what', async () => {
  expect((await app.inject({ url: '/readyz' })).json().checks[1]).toMatchObject({
    name: 'access',
    ok: true,
  });
  away = true;
  const answer = await app.inject({ url: '/readyz' });
  expect([answer.statusCode, answer.json().checks[1]]).toEqual([
    503,
    { name: 'access', ok: false, detail: 'It is away.' },
  ]);
});
