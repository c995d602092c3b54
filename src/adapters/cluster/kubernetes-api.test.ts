import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FakeApiServer } from '../../../test/support/fake-api-server.ts';
import { FailureError } from '../../builds/failure.ts';
import { ApiError, createKubernetesApi, type KubernetesApi } from './kubernetes-api.ts';

const path = '/api/v1/namespaces/builds/configmaps';

describe('the API server', () => {
  let server: FakeApiServer;
  let api: KubernetesApi;
  beforeEach(async () => {
    server = await FakeApiServer.start();
    const patience = { total: 1000, first: 20, longest: 100 };
    api = createKubernetesApi(server.connection, { patience });
  });
  afterEach(() => server.stop());

  const create = () => api.ask('POST', path, { body: { metadata: { name: 'one' } } });

  test('creates, reads and changes', async () => {
    expect(await create()).toMatchObject({ metadata: { name: 'one' } });
    const contentType = 'application/merge-patch+json';
    await api.ask('PATCH', `${path}/one`, { body: { data: { a: 'b' } }, contentType });
    expect(await api.ask('GET', `${path}/one`)).toMatchObject({ data: { a: 'b' } });
  });

  test('what it refuses is for whoever asked to judge', async () => {
    await create();
    await expect(create()).rejects.toMatchObject({ status: 409, reason: 'AlreadyExists' });
    await expect(api.ask('GET', `${path}/two`)).rejects.toBeInstanceOf(ApiError);
    expect(server.requests).toHaveLength(3);
  });

  test('is asked again while it is in trouble', async () => {
    server.refuse(503, 3);
    await create();
    expect(server.requests).toHaveLength(4);
  });

  test('that stays away is a failure of the infrastructure, which says what to do', async () => {
    await server.stop();
    const error = await create().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FailureError);
    expect((error as FailureError).failures).toEqual([
      expect.objectContaining({
        reason: 'cluster-unavailable',
        hint: expect.stringContaining('kubectl get --raw /readyz'),
      }),
    ]);
    await server.restart();
  });

  test('that does not know us is a failure of credentials', async () => {
    const stranger = { ...server.connection, token: async () => undefined };
    await expect(createKubernetesApi(stranger).ask('GET', path)).rejects.toMatchObject({
      failures: [{ reason: 'cluster-denied' }],
    });
  });
});
