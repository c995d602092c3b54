import { expect, test } from 'vitest';
import { Configuration } from '../../config/config.ts';
import {
  authfileFor,
  hostOf,
  isInsecure,
  mirrored,
  pullSecretFor,
  registriesConf,
} from './reach.ts';

const mirrors = {
  'registry.redhat.io': 'registry.example.com/mirror',
  'registry.redhat.io/ubi9': 'other.example.com/ubi',
  'quay.io/team': '127.0.0.1:5000/quay',
};

test.for([
  ['registry.redhat.io/rhel9/go:1', 'registry.example.com/mirror/rhel9/go:1'],
  ['registry.redhat.io/ubi9/ubi@sha256:0', 'other.example.com/ubi/ubi@sha256:0'],
  ['registry.redhat.io/ubi9:latest', 'other.example.com/ubi:latest'],
  ['registry.redhat.io/ubi9x/a', 'registry.example.com/mirror/ubi9x/a'],
  ['registry.redhat.io:8443/a', 'registry.redhat.io:8443/a'],
  ['registry.redhat.io.evil.example/a', 'registry.redhat.io.evil.example/a'],
  ['quay.io/teams/a', 'quay.io/teams/a'],
  ['quay.io/team/a', '127.0.0.1:5000/quay/a'],
] as const)('%s is reachable as %s', ([reference, expected]) => {
  expect(mirrored(reference, mirrors)).toBe(expected);
});

test.for([
  ['quay.io/a/b', 'quay.io'],
  ['127.0.0.1:5000/a', '127.0.0.1:5000'],
  ['localhost/a', 'localhost'],
  ['library/golang', 'docker.io'],
  ['golang', 'docker.io'],
] as const)('the host of %s is %s', ([reference, host]) => {
  expect(hostOf(reference)).toBe(host);
});

const configuration = Configuration.parse({
  authfile: '/bases.json',
  registries: { 'plain.example.com': { insecure: true } },
  remotes: {
    team: {
      push: 'quay.io/team',
      authfile: '/team.json',
      'pull-secret': '/pull.json',
      default: true,
    },
    inner: { push: 'quay.io/team/inner', authfile: '/inner.json' },
    lab: { push: 'lab.example.com/x', insecure: true },
  },
});

test.for([
  ['127.0.0.1:5000/a', true],
  ['127.8.9.1/a', true],
  ['localhost:5000/a', true],
  ['plain.example.com/a', true],
  ['lab.example.com/x/a', true],
  ['127.0.0.1.example.com/a', false],
  ['quay.io/team/a', false],
] as const)('%s is insecure: %s', ([reference, expected]) => {
  expect(isInsecure(reference, configuration)).toBe(expected);
});

test('the credential is that of the innermost remote, else that of base images', () => {
  const of = (reference: string) => authfileFor(reference, configuration);
  expect(of('quay.io/team/a:1')).toBe('/team.json');
  expect(of('quay.io/team/inner/a:1')).toBe('/inner.json');
  expect(of('registry.redhat.io/ubi9')).toBe('/bases.json');
});

test('the pull secret of an outside image is that of the default remote', () => {
  expect(pullSecretFor('registry.redhat.io/ubi9', configuration)).toBe('/pull.json');
  expect(pullSecretFor('lab.example.com/x/a', configuration)).toBeUndefined();
});

test('mirrors become registries.conf, which keeps names', () => {
  expect(
    registriesConf({ ...configuration, mirrors: { 'quay.io/team': '127.0.0.1:5000/quay' } }),
  ).toBe(
    '[[registry]]\nprefix = "quay.io/team"\nlocation = "127.0.0.1:5000/quay"\ninsecure = true\n',
  );
  expect(registriesConf(configuration)).toBe('');
});
