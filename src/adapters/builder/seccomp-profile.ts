import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** As far as it matters here; see containers-common's seccomp.json. */
const Profile = z.looseObject({
  syscalls: z.array(z.looseObject({ names: z.array(z.string()), action: z.string() })),
});

/**
 * The machine's own profile of system calls for containers, without those that make or enter namespaces: in a user
 * namespace of its own a program has every right over the kernel's rarest code. Undefined where the machine
 * has no profile; what buildah was built with then counts.
 */
export async function seccompProfile(
  file = '/usr/share/containers/seccomp.json',
): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  const profile = Profile.parse(JSON.parse(text));
  const kept = profile.syscalls.map(({ names, ...rule }) => ({
    ...rule,
    names: names.filter((name) => !['clone', 'clone3', 'setns', 'unshare'].includes(name)),
  }));
  return JSON.stringify({ ...profile, syscalls: [...kept, ...withoutNamespaces] });
}

/** All CLONE_NEW* flags of `clone` (linux/sched.h), which is how processes and threads begin, too. */
const namespaceFlags = 0x7e020000;

const withoutNamespaces = [
  {
    names: ['clone'],
    action: 'SCMP_ACT_ALLOW',
    args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }],
  },
  // Its flags lie in memory, where no rule can see them: without it, programs fall back to `clone`.
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38, errno: 'ENOSYS' },
  { names: ['setns', 'unshare'], action: 'SCMP_ACT_ERRNO', errnoRet: 1, errno: 'EPERM' },
];
