import { expect, inject, test } from 'vitest';
import { startRegistry } from '../support/registry.ts';
import { serviceRig } from '../support/service.ts';
import { smallProduct, smallRequest } from '../support/small-demo.ts';
import { smallDisk } from '../support/small-disk.ts';

test.skipIf(process.getuid?.() !== 0)(
  'a build whose registry is full says what to do, and goes on when there is room',
  async () => {
    using disk = smallDisk(512);
    await using full = await startRegistry({ data: disk.folder });
    const remote = `${full.host}/team`;
    const limits = { 'retry-seconds': 1 };
    await using own = serviceRig(inject('demo'), { limits }, { product: smallProduct, remote });
    const alive = await own.start();
    const request = { name: 'full', components: smallRequest };
    disk.fill();
    const { tag } = (await alive.post('/', request)).body;
    expect((await alive.ended(tag)).failure).toMatchObject({
      ...{ reason: 'registry-unavailable', owner: 'infrastructure', step: 'prepare' },
      hint: expect.stringContaining('A registry whose storage is full answers 500'),
    });
    disk.free();
    expect((await alive.post('/', request)).body).toMatchObject({ tag, attempt: 2 });
    expect((await alive.ended(tag)).failure).toBeNull();
  },
);
