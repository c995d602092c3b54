import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { Layer } from '../../src/steps/oci-layout.ts';
import { hasImage, type ImageConfig, layerOfFolder, pushImage } from './oci-image.ts';
import { registries } from './places.ts';

/** The programs that the cluster consists of, each image a busybox and what scripts/go-tools.sh built. */
interface SystemImage {
  /** Folders of .tools/programs, and where the image has what is in them. */
  readonly programs: Readonly<Record<string, string>>;
  readonly config: ImageConfig;
}

const Env = ['PATH=/bin'];
const images = {
  busybox: { programs: {}, config: { Env, Cmd: ['sh'] } },
  // Holds the namespaces of a pod.
  pause: { programs: {}, config: { Env, Entrypoint: ['sleep', 'inf'] } },
  coredns: { programs: { coredns: 'bin' }, config: { Env, Entrypoint: ['/bin/coredns'] } },
  // One for all of its programs, at the paths that they have of each other.
  tekton: { programs: { tekton: 'ko-app' }, config: { Env, User: '65532' } },
  olm: { programs: { olm: 'bin' }, config: { Env, User: '1001' } },
  // The index image of operator-sdk, which reads the label.
  opm: {
    programs: { opm: 'bin', 'grpc-health-probe': 'bin' },
    config: {
      Env,
      User: '1001',
      Entrypoint: ['/bin/opm'],
      Cmd: ['serve', '/configs', '--cache-dir=/tmp/cache'],
      Labels: { 'operators.operatorframework.io.index.configs.v1': '/configs' },
    },
  },
} satisfies Record<string, SystemImage>;

type Name = keyof typeof images;

/** The registry whose image `operator-sdk run bundle-upgrade` unpacks with: it cannot be told to take another one. */
export const registryOfOperatorSdk = 'registry.access.redhat.com';
const shellOfOperatorSdk = `${registries.plain}/ubi9/ubi:9.7`;

const programs = join(import.meta.dirname, '../../.tools/programs');
const busybox = '/bin/busybox';
const oci = join(import.meta.dirname, 'oci-image.ts');

/** `10.243.0.1:5000/cluster/NAME:KEY` of an image: the same programs have the same name. */
export function systemImage(name: Name, registry: string = registries.plain): string {
  const hash = createHash('sha256');
  for (const file of [import.meta.filename, oci, busybox]) hash.update(fs.readFileSync(file));
  for (const program of Object.keys(images[name].programs))
    hash.update(basename(fs.readlinkSync(join(programs, program))));
  return `${registry}/cluster/${name}:${hash.digest('hex').slice(0, 16)}`;
}

/** Pushes the images that the registry lacks; gives their names. */
export async function pushSystemImages(authfile: string): Promise<Name[]> {
  const missing: Name[] = [];
  for (const name of Object.keys(images) as Name[])
    if (!(await hasImage(systemImage(name)))) missing.push(name);
  const lacksShell = !(await hasImage(shellOfOperatorSdk));
  if (missing.length === 0 && !lacksShell) return [];

  const base = await layerOf(fillBusybox);
  if (lacksShell) await pushImage(shellOfOperatorSdk, [base], images.busybox.config, authfile);
  for (const name of missing) {
    const image: SystemImage = images[name];
    const own = Object.keys(image.programs).length > 0;
    const layers = own ? [base, await layerOf((root) => fillPrograms(root, image))] : [base];
    await pushImage(systemImage(name), layers, image.config, authfile);
  }
  return missing;
}

async function layerOf(fill: (root: string) => void): Promise<Layer> {
  const root = fs.mkdtempSync(join(tmpdir(), 'tributary-layer-'));
  try {
    fill(root);
    fs.chmodSync(root, 0o755);
    return await layerOfFolder(root);
  } finally {
    fs.rmSync(root, { recursive: true });
  }
}

function fillBusybox(root: string): void {
  for (const folder of ['bin', 'etc', 'root', 'configs', 'usr/bin'])
    fs.mkdirSync(join(root, folder), { recursive: true });
  fs.mkdirSync(join(root, 'tmp'));
  fs.chmodSync(join(root, 'tmp'), 0o1777);
  fs.copyFileSync(busybox, join(root, 'bin/busybox'));
  const applets = execFileSync(busybox, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const name of applets.filter((applet) => applet !== 'busybox'))
    fs.symlinkSync('busybox', join(root, 'bin', name));
  fs.symlinkSync('/bin/env', join(root, 'usr/bin/env'));
  fs.writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  // Without it a static program looks for libraries to look names up with, and crashes.
  fs.writeFileSync(
    join(root, 'etc/nsswitch.conf'),
    'passwd: files\ngroup: files\nhosts: files dns\n',
  );
  // Where nothing is indexed yet.
  fs.writeFileSync(join(root, 'configs/.indexignore'), '');
}

function fillPrograms(root: string, { programs: folders }: SystemImage): void {
  for (const [name, folder] of Object.entries(folders))
    fs.cpSync(fs.realpathSync(join(programs, name)), join(root, folder), { recursive: true });
  // The name by which OLM calls it.
  const probe = join(root, 'bin/grpc-health-probe');
  if (fs.existsSync(probe)) fs.renameSync(probe, join(root, 'bin/grpc_health_probe'));
}
