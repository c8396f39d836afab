// The policies of an operator's directory as this machine takes them: read, built, signed by those whom config.json of the
// data directory named when it was opened, and none that its log has seen replaced.
import { platformSha256 } from './adapters/hash.js';
import { readPolicyDirectory } from './adapters/policy-directory.js';
import { canonicalJson } from './canonical-json.js';
import { buildSnapshot, type PolicySnapshot } from './policy/snapshot.js';
import { requireNotReplaced, requireSigned, type PolicySigners } from './policy-signers.js';
import type { Store } from './runtime/ports.js';

type Files = Awaited<ReturnType<typeof readPolicyDirectory>>;

export class OperatorPolicies {
  readonly #root: string;
  readonly #signers: PolicySigners | undefined;

  constructor(root: string, signers: PolicySigners | undefined) {
    this.#root = root;
    this.#signers = signers;
  }

  read(): Promise<Files> {
    return readPolicyDirectory(this.#root);
  }

  /** Throws POLICY_INVALID. `pause`: other work goes on in between. */
  build(files: ReadonlyMap<string, string>, pause?: () => Promise<void>): Promise<PolicySnapshot> {
    return buildSnapshot({
      ...{ files, canonicalize: canonicalJson, sha256: platformSha256, root: this.#root },
      ...(pause === undefined ? {} : { pause }),
    });
  }

  /** As `build`. Throws POLICY_UNSIGNED. */
  async signed(files: Files, pause?: () => Promise<void>): Promise<PolicySnapshot> {
    const snapshot = await this.build(files, pause);
    if (this.#signers !== undefined) requireSigned(snapshot, this.#signers, this.#root);
    return snapshot;
  }

  /** Throws POLICY_UNSIGNED. */
  async requireNotReplaced(store: Pick<Store, 'ownEntries'>, snapshot: PolicySnapshot): Promise<void> {
    if (this.#signers !== undefined) {
      await requireNotReplaced(store, snapshot, this.#signers, this.#root);
    }
  }
}
