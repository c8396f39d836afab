// `writ policy lock | verify`: writes down which bytes a policy directory holds and who stands for them, and checks it.
// A lock never widens anything: with one, files that differ are refused everywhere, not only here.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WritError } from '../../errors.js';
import type { PolicyLock, PolicySnapshot } from '../../policy/index.js';
import type { PolicySigners } from '../../policy-signers.js';
import type { Context } from '../context.js';
import { printable } from '../output.js';
import { loadHere } from './question.js';

/**
 * Writes policies.lock anew; `sign` adds the signature of --key. Signatures of the same policies by others stay.
 * Throws POLICY_INVALID for a directory that has a problem other than its lock.
 */
export async function lockPolicies(context: Context, flags: { readonly sign: boolean }): Promise<number> {
  const { output, policies, keyFile } = context;
  const { readPolicyDirectory } = await import('../../adapters/policy-directory.js');
  const { replaceFile } = await import('../../adapters/store/durable-file.js');
  const { canonicalJson } = await import('../../canonical-json.js');
  const { buildSnapshot, LOCK_FILE, lockMessage, lockOf, readLock } = await import('../../library/policy.js');
  const files = new Map(await readPolicyDirectory(policies));
  const before = files.get(LOCK_FILE);
  files.delete(LOCK_FILE);
  const { policyHash } = await buildSnapshot({ files, canonicalize: canonicalJson, root: policies });
  const lock = lockOf(files, policyHash);
  const old = before === undefined ? null : readLock(before);
  // What is signed is the policy hash: comments and tests may change under a signature, what decides may not.
  const isSame = old !== null && typeof old !== 'string' && old.policyHash === policyHash;
  const kept = isSame ? old.signatures : [];
  const added = flags.sign ? [await signature(keyFile, lockMessage(policyHash))] : [];
  const signatures = [...kept.filter(({ keyId }) => !added.some((one) => one.keyId === keyId)), ...added];
  const text = `${JSON.stringify({ ...lock, signatures }, null, 2)}\n`;
  const file = join(policies, LOCK_FILE);
  await replaceFile(file, new TextEncoder().encode(text), { file: 0o644, directory: 0o755 });
  const count = Object.keys(lock.files).length;
  if (output.json) {
    output.value({ file, policyHash, files: count, signatures: signatures.map(({ keyId }) => keyId) });
    return 0;
  }
  output.line(`locked      ${printable(file)}: ${count} files`);
  output.line(`policies    ${policyHash}`);
  for (const { keyId } of signatures) output.line(`signed by   ${printable(keyId)}`);
  return 0;
}

async function signature(
  keyFile: string | null,
  message: Uint8Array,
): Promise<PolicyLock['signatures'][number]> {
  if (keyFile === null) {
    throw new WritError('USAGE', 'a signature needs your key', { hint: 'name it: --key FILE, or WRIT_KEY' });
  }
  const { loadPersonKey } = await import('../../adapters/keys/person-key.js');
  const key = loadPersonKey(keyFile);
  return { keyId: key.publicKey, sig: Buffer.from(key.sign(message)).toString('base64') };
}

/** Exit 0 when the files are those of the lock and enough signers stand for them; else POLICY_*. */
export async function verifyPolicies(
  context: Context,
  flags: { readonly signer: readonly string[]; readonly requireSignedPolicy: number | null },
): Promise<number> {
  const { output, policies } = context;
  const { requireSigned, signersOf } = await import('../../policy-signers.js');
  const snapshot = await loadHere(policies);
  const { lock, policyHash } = snapshot;
  if (lock === null) {
    throw new WritError('POLICY_UNSIGNED', `${policies} has no policies.lock`, {
      hint: 'look at the policies, then write one: writ policy lock',
    });
  }
  const demanded = await demandOf(context, flags);
  const signers = signersOf(lock, demanded.signers);
  requireSigned(snapshot, demanded, policies);
  await refuseReplaced(context, snapshot, demanded);
  const result = {
    ...{ ok: true, policyHash: policyHash, files: Object.keys(lock.files).length, signers },
    required: demanded.quorum,
  };
  if (output.json) {
    output.value(result);
    return 0;
  }
  output.line(output.colors.green(`${result.files} files are what the lock says`));
  output.line(`policies    ${policyHash}`);
  for (const keyId of signers) output.line(`signed by   ${printable(keyId)}`);
  const unknown = lock.signatures.filter(({ keyId }) => !signers.includes(keyId)).length;
  if (unknown > 0) output.line(`${unknown} signatures are by keys that nobody here trusts (--signer)`);
  return 0;
}

/** What the data directory demands, and more of it where the command line does. */
async function demandOf(
  context: Context,
  {
    signer,
    requireSignedPolicy,
  }: { readonly signer: readonly string[]; readonly requireSignedPolicy: number | null },
) {
  const { pathsOf, readConfig } = await import('../../data-directory.js');
  const { checkSigners } = await import('../../policy-signers.js');
  const config = await readConfig(pathsOf(context.data).config);
  const configured: PolicySigners = config?.policySigners ?? { quorum: 0, signers: [] };
  const { mayReturnTo } = configured;
  const demanded = checkSigners({
    quorum: Math.max(configured.quorum, requireSignedPolicy ?? 0),
    signers: [...new Set([...configured.signers, ...signer])],
  });
  return { ...demanded, ...(mayReturnTo === undefined ? {} : { mayReturnTo }) };
}

/** Where there is a data directory, its log says whether others came after them. */
async function refuseReplaced(
  { data, policies }: Context,
  snapshot: PolicySnapshot,
  demanded: PolicySigners,
): Promise<void> {
  const { pathsOf } = await import('../../data-directory.js');
  const file = pathsOf(data).database;
  if (demanded.quorum === 0 || !existsSync(file)) return;
  const { openSqliteStore } = await import('../../adapters/store/sqlite/store.js');
  const { systemClock } = await import('../../adapters/clock.js');
  const { extendLog } = await import('../../runtime/log/log.js');
  const { requireNotReplaced } = await import('../../policy-signers.js');
  const store = await openSqliteStore({ file, extendLog, clock: systemClock, readOnly: true });
  try {
    await requireNotReplaced(store, snapshot, demanded, policies);
  } finally {
    await store.close();
  }
}
