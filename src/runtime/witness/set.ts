// The witnesses a log asks: `witnesses.policy` of the data directory, a C2SP tlog-policy in which a witness that is
// asked has a URL. What a verifier should trust is the verifier's business; this file says whom this log asks.
import { parsePolicy, type PolicyWitness, type TlogPolicy } from '../../audit/index.js';
import { WritError } from '../../errors.js';

export interface WitnessSet {
  /** The file as it is: published as `policy` in the log's directory. */
  readonly text: string;
  readonly policy: TlogPolicy;
}

/** Throws AUDIT_POLICY_INVALID, also for a witness's URL that is not plain http or https. */
export function readWitnessSet(text: string): WitnessSet {
  const policy = parsePolicy(text);
  for (const witness of policy.witnesses) if (witness.url !== null) submissionUrl(witness);
  return { text, policy };
}

/** Where a witness takes checkpoints; null when the policy gives no URL. */
export function submissionUrl({ name, url }: Pick<PolicyWitness, 'name' | 'url'>): string | null {
  if (url === null) return null;
  const parsed = URL.canParse(url) ? new URL(url) : null;
  const plain =
    parsed !== null &&
    (parsed.protocol === 'http:' || parsed.protocol === 'https:') &&
    [parsed.username, parsed.password, parsed.search, parsed.hash].every((part) => part === '');
  if (!plain) {
    throw new WritError(
      'AUDIT_POLICY_INVALID',
      `the URL of the witness "${name}" is not plain http or https`,
      {
        hint: 'for example: witness w1 VKEY https://witness.example.com',
      },
    );
  }
  return `${url.replace(/\/+$/, '')}/add-checkpoint`;
}
