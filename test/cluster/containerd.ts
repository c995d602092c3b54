import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Node } from './node.ts';
import { addresses, placesOf, registries } from './places.ts';
import { startOnNode, until } from './programs.ts';
import { registryOfOperatorSdk, systemImage } from './system-images.ts';

/** Starts containerd, with a bridge for pods. */
export async function startContainerd(node: Node): Promise<void> {
  const { run } = placesOf(node.folder);
  mkdirSync(join(run, 'cni'), { recursive: true });
  writeFileSync(join(run, 'cni', '10-pods.conflist'), JSON.stringify(podNetwork));
  writeFileSync(join(run, 'containerd.toml'), configuration(run));
  const args = ['--config', join(run, 'containerd.toml')];
  startOnNode(node, { name: 'containerd', command: 'containerd', args });
  await until(node, 'containerd', () => existsSync(containerdSocket(run)));
}

/** Where containerd listens. */
export function containerdSocket(run: string): string {
  return join(run, 'containerd.sock');
}

const podNetwork = {
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods',
      isGateway: true,
      hairpinMode: true,
      ipam: {
        type: 'host-local',
        ranges: [[{ subnet: addresses.pods }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
  ],
};

function configuration(run: string): string {
  const text = JSON.stringify;
  const mirrors = [...Object.values(registries), registryOfOperatorSdk].map(
    (name) => `
  [plugins."io.containerd.grpc.v1.cri".registry.mirrors.${text(name)}]
    endpoint = [${text(`http://${registries.plain}`)}]`,
  );
  // restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower the score, and no pod would start.
  return `version = 2
root = ${text(join(run, 'containerd'))}
state = ${text(join(run, 'containerd-state'))}
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]
[grpc]
  address = ${text(containerdSocket(run))}
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${text(systemImage('pause'))}
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = ${text(join(run, 'cni'))}
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
${mirrors.join('\n')}
`;
}
