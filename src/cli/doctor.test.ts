import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { FakeIo } from '../../test/support/fake-io.ts';
import * as schema from '../api/schema.ts';
import { FailureError } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { parseProduct } from '../product/load-product.ts';
import { doctor } from './doctor.ts';
import type { Check, Examination } from './examination.ts';

const configuration = { file: '/etc/config.yaml' } as LoadedConfiguration;
const well: Check = { name: 'git', ok: true, detail: '2.39.5', hint: null };
const kustomize: Check = { name: 'kustomize', ok: false, detail: 'missing', hint: 'Install it.' };

function examination(changes: Partial<Examination>): Examination {
  return {
    configuration: async () => configuration,
    product: async () => undefined,
    releases: async () => [],
    machine: async () => [well],
    state: async () => [],
    registries: async () => [],
    ...changes,
  };
}

async function run(changes: Partial<Examination>, json = false) {
  const io = new FakeIo();
  const context = {
    io,
    globals: { json, color: false },
    openService: () => Promise.reject(new Error('no service')),
  };
  const code = await doctor(context, examination(changes));
  return { code, out: io.written.out };
}

test('where all is well, it says so', async () => {
  const { code, out } = await run({});
  expect([code, out]).toEqual([
    0,
    'ok     configuration  /etc/config.yaml\nok     git            2.39.5\nEverything is there.\n',
  ]);
});

test('what is missing is told with its remedy, and the exit code is 4', async () => {
  const { code, out } = await run({
    machine: async () => [{ ...well, ok: false, detail: 'missing', hint: 'apt-get install git' }],
  });
  expect(code).toBe(4);
  expect(out).toContain('wrong  git            missing\n  apt-get install git\n1 to mend.\n');
});

test('every problem of a product file is told, and the machine is looked at all the same', async () => {
  const wrong = parseProduct('product: UPPER\nimagse: {}\n', '/p.yaml');
  if (wrong.ok) throw new Error('it should be wrong');
  const { code, out } = await run({
    product: async () => {
      throw new FailureError(...wrong.failures);
    },
  });
  expect(code).toBe(4);
  expect(out).toContain('did you mean `images`?');
  expect(out).toContain('/p.yaml:1:');
  expect(out).toContain('2.39.5');
});

test('what is wrong with a release is told once the product file can be read', async () => {
  const text = { file: 'p.yaml', text: '' };
  const found = { file: '/p.yaml', product: { components: {}, images: {} } as never, text };
  const failed: Check = {
    name: 'release nightly',
    ok: false,
    detail: 'p.yaml:3: x',
    hint: 'Mend.',
  };
  const { code, out } = await run({ product: async () => found, releases: async () => [failed] });
  expect([code, out]).toEqual([
    4,
    expect.stringContaining('wrong  release nightly  p.yaml:3: x\n  Mend.\n1 to mend.\n'),
  ]);
});

test('without a configuration, neither state nor registries are looked at', async () => {
  const never = () => Promise.reject(new Error('not to be asked'));
  const { code, out } = await run({
    configuration: async () => {
      throw new FailureError({
        reason: 'bad-configuration',
        detail: 'There is no configuration.',
        hint: 'Write one.',
      });
    },
    state: never,
    registries: never,
  });
  expect([code, out]).toEqual([
    4,
    expect.stringContaining('wrong  configuration  There is no configuration.\n  Write one.\n'),
  ]);
});

test('kustomize may be missing where no product needs it, and not where one does', async () => {
  const text = readFileSync(new URL('../../examples/demo/product.yaml', import.meta.url), 'utf8');
  const parsed = parseProduct(text, 'product.yaml');
  if (!parsed.ok) throw new FailureError(...parsed.failures);
  const product = structuredClone(parsed.value);
  const machine = async () => [kustomize];
  expect((await run({ machine })).code).toBe(0);
  for (const component of Object.values(product.components)) {
    component.payload = { render: 'kustomize', path: 'config', markers: [], into: 'x', keep: [] };
  }
  const found = { file: 'product.yaml', product, text: { file: 'product.yaml', text } };
  expect((await run({ machine, product: async () => found })).code).toBe(4);
});

test('--json is what the schema says', async () => {
  const { out } = await run({ machine: async () => [kustomize] }, true);
  expect(schema.Diagnosis.parse(JSON.parse(out)).checks).toHaveLength(2);
});
