// How well the log is witnessed, from what is stored: what each witness and the quorum have cosigned, and what makes the
// configuration less than it seems. Nobody is asked.
import {
  describeQuorum,
  formatTime,
  noteCosignatures,
  type TlogPolicy,
  type Vkey,
} from '../../audit/index.js';
import { ANCHORS_SEEN, isDue, lastQuorum, type Anchoring } from './anchor.js';

/** What `writ audit witness status` shows; sizes decimal, times RFC 3339. */
export interface WitnessStatus {
  /** Entries of the log now. */
  readonly size: string;
  /** In words; `none` without witnesses.policy or under `quorum none`. */
  readonly quorum: string;
  /** The newest checkpoint that the quorum has cosigned; null when there is none. */
  readonly witnessed: { readonly size: string; readonly at: string } | null;
  readonly witnesses: readonly {
    readonly name: string;
    readonly key: string;
    readonly url: string | null;
    /** The newest checkpoint it has cosigned, of those looked through. */
    readonly cosigned: { readonly size: string; readonly at: string } | null;
  }[];
  /** What makes the configuration less than it seems. */
  readonly problems: readonly string[];
}

/** A line of `writ doctor`. */
export interface WitnessCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint: string | null;
}

/** What `writ audit witness status` shows. Asks nobody. Throws STORE_*. */
export async function witnessStatus(anchoring: Anchoring): Promise<WitnessStatus> {
  const { publication, witnesses } = anchoring;
  const { store, signer } = publication;
  const size = (await store.log()).size.toString();
  if (witnesses === null) return { size, quorum: 'none', witnessed: null, witnesses: [], problems: [] };
  const { policy } = witnesses;
  const rows = await store.anchoredCheckpoints(ANCHORS_SEEN);
  const last = policy.quorum === null ? null : await lastQuorum(anchoring);
  const newest = (key: Vkey): WitnessStatus['witnessed'] => {
    for (const row of rows) {
      const [cosignature] = noteCosignatures(row.note, [key]);
      if (cosignature !== undefined) return seen(row.size, Number(cosignature.seconds) * 1000);
    }
    return null;
  };
  return {
    size,
    quorum: describeQuorum(policy),
    witnessed: last === null ? null : seen(last.size, last.anchoredAtMs),
    witnesses: policy.witnesses.map(({ name, key, url }) => {
      return { name, key: `${key.name}+${key.keyId}`, url, cosigned: newest(key) };
    }),
    problems: problemsOf(policy, signer.vkey),
  };
}

function seen(size: bigint, timeMs: number): NonNullable<WitnessStatus['witnessed']> {
  return { size: size.toString(), at: formatTime(timeMs) ?? '-' };
}

/** What can be told without asking anybody. */
function problemsOf(policy: TlogPolicy, vkey: string): string[] {
  const mute = policy.witnesses.filter(({ url, key }) => url === null || key.type !== 4);
  const other = policy.logs.length > 0 && !policy.logs.some((log) => log.vkey === vkey);
  return [
    ...mute.map(
      ({ name, url }) => `${name} ${url === null ? 'has no URL' : 'has a key that is not verified'}`,
    ),
    ...(other ? ['no log line names the key of this log: a verifier with this policy will refuse it'] : []),
  ];
}

/** The line of `writ doctor`; none where no quorum is configured. */
export async function witnessChecks(anchoring: Anchoring): Promise<readonly WitnessCheck[]> {
  if (anchoring.witnesses === null) return [];
  const { size, quorum, witnessed, problems } = await witnessStatus(anchoring);
  if (quorum === 'none') return [];
  const detail =
    witnessed === null
      ? `no checkpoint has ${quorum}`
      : `${quorum} cosigned ${witnessed.size} of ${size} entries, last at ${witnessed.at}`;
  const late = await isDue(anchoring);
  const ok = !late && problems.length === 0;
  const hint = 'writ audit witness anchor asks them now and says who does not answer';
  return [{ name: 'witnesses', ok, detail: [detail, ...problems].join('; '), hint: ok ? null : hint }];
}
