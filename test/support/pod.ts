import { chmod, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../src/adapters/processes/command.ts';

/** A container as a pod has it. */
export interface PodContainer {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Without `CAP_`. */
  readonly capabilities: readonly string[];
  /** False: it has a network namespace of its own. */
  readonly network: boolean;
  /** Folders that it may write into, whoever it is, like a pod's volumes; the rest of the machine it sees read-only, with the same paths. */
  readonly writable: readonly string[];
  readonly readOnly: readonly string[];
}

/**
 * Runs a container with runc as a kubelet would: root by name, these capabilities and no way to more, masked /proc, control groups that it
 * cannot change. Bundles are made in `folder`.
 */
export async function runInPod(
  folder: string,
  container: PodContainer,
): Promise<{ readonly exitCode: number; readonly output: string }> {
  const bundle = await mkdtemp(join(folder, 'bundle-'));
  const rootfs = join(bundle, 'rootfs');
  await mkdir(rootfs);
  const ids = join(bundle, 'ids');
  await writeFile(ids, 'root:1:65535\n');
  for (const path of container.writable) await chmod(path, 0o777);
  await writeFile(join(bundle, 'config.json'), JSON.stringify(specOf(container, ids)));
  const script = 'mount --bind / "$1" && exec runc --root "$2" run --bundle "$3" "$4"';
  const name = `pod-${bundle.slice(-6)}`;
  const args = [rootfs, join(bundle, 'runc'), bundle, name];
  let output = '';
  const { exitCode } = await run('unshare', ['--mount', 'sh', '-c', script, 'sh', ...args], {
    ...{ cwd: '/', timeout: 120_000, maxOutput: 0 },
    onOutput: (text) => (output += text),
  });
  return { exitCode, output };
}

function specOf(container: PodContainer, ids: string) {
  const { command, env, network, writable, readOnly } = container;
  const capabilities = container.capabilities.map((name) => `CAP_${name}`);
  const shown = (path: string, options: string, source = path) => ({
    ...{ destination: path, source, type: 'bind', options: ['rbind', options] },
  });
  return {
    ociVersion: '1.0.2',
    process: {
      ...{ user: { uid: 0, gid: 0 }, args: command, cwd: '/', noNewPrivileges: true },
      env: Object.entries(env).map(([variable, value]) => `${variable}=${value}`),
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    },
    root: { path: 'rootfs', readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        ...{ destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
        options: ['nosuid', 'mode=755', 'size=65536k'],
      },
      {
        ...{ destination: '/dev/pts', type: 'devpts', source: 'devpts' },
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      {
        ...{ destination: '/dev/shm', type: 'tmpfs', source: 'shm' },
        options: ['nosuid', 'noexec', 'nodev', 'mode=1777'],
      },
      {
        ...{ destination: '/sys', type: 'sysfs', source: 'sysfs' },
        options: ['nosuid', 'noexec', 'nodev', 'ro'],
      },
      // What runs on this machine, and logins of whoever runs the tests, are not in it.
      {
        ...{ destination: '/run', type: 'tmpfs', source: 'run' },
        options: ['nosuid', 'nodev', 'mode=755'],
      },
      ...['/etc/subuid', '/etc/subgid'].map((path) => shown(path, 'ro', ids)),
      ...writable.map((path) => shown(path, 'rw')),
      ...readOnly.map((path) => shown(path, 'ro')),
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount', ...(network ? [] : ['network'])].map((type) => ({
        type,
      })),
      // As containerd has them.
      maskedPaths: [
        ...['/proc/acpi', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/scsi'],
        ...['/proc/timer_list', '/proc/timer_stats', '/proc/sched_debug', '/sys/firmware'],
      ],
      readonlyPaths: ['bus', 'fs', 'irq', 'sys', 'sysrq-trigger'].map((name) => `/proc/${name}`),
    },
  };
}
