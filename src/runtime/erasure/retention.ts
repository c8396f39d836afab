// How long payloads stay. The setting lies in the data directory's config file, every change of it in the log, and
// where the two disagree nothing is erased for its age: an edit of the file alone shortens nothing.
import { parseEntry } from '../../audit/entry.js';
import { WritError } from '../../errors.js';
import { authorize } from '../authorize.js';
import { auditContext } from '../log/access.js';
import { draft } from '../log/entries.js';
import { checkBasis } from './erasure.js';
import type { Guard } from '../guard-parts.js';
import { MINIMUM_RETENTION_DAYS } from './minimum-retention.js';
import type { Principal, Retention, RetentionView } from '../writ.js';

const MAX_RETENTION_DAYS = 36_500;
const DAY_MS = 86_400_000;

/** Where the setting lies. */
export interface RetentionSetting {
  read(): Promise<Retention>;
  /** Durable when it resolves. */
  write(retention: Retention): Promise<void>;
}

export async function readRetention(guard: Guard, setting: RetentionSetting): Promise<RetentionView> {
  return { ...(await setting.read()), loggedDays: await loggedDays(guard) };
}

/**
 * Logs the change, then makes it. Asks for `policy.edit` on `retention`. Throws POLICY_*, and USAGE for a time that is
 * too long, or below the minimum without a reason.
 */
export async function changeRetention(
  guard: Guard,
  setting: RetentionSetting,
  change: Retention,
  principal: Principal,
): Promise<RetentionView> {
  const { days } = change;
  // It stands in the config file as well, which nothing else looks through.
  const override = change.override === null ? null : guard.redact.text(change.override);
  if (!Number.isSafeInteger(days) || days < 1 || days > MAX_RETENTION_DAYS) {
    throw new WritError('USAGE', `a retention has 1 to ${MAX_RETENTION_DAYS} days, not ${days}`);
  }
  const isShort = days < MINIMUM_RETENTION_DAYS;
  if (isShort !== (override !== null)) {
    throw new WritError(
      'USAGE',
      isShort
        ? `${days} days are fewer than the minimum of ${MINIMUM_RETENTION_DAYS}`
        : `${days} days need no override of the minimum`,
      {
        hint: isShort
          ? 'if a law asks for it, say which: --override-minimum REASON; the reason stands in the log'
          : 'leave --override-minimum out',
      },
    );
  }
  if (override !== null) checkBasis(override, 'reason');
  const context = auditContext(guard, principal);
  await authorize(guard, context, { subject: principal.id, action: 'policy.edit', resource: 'retention' });
  const data = { days, previous: await loggedDays(guard), minimum: MINIMUM_RETENTION_DAYS, override };
  await guard.journal.commit({ entries: [draft(context, 'retention.changed', data)] });
  await setting.write({ days, override });
  return readRetention(guard, setting);
}

/** Runs that finished before this moment are older than the retention. Throws USAGE when file and log disagree. */
export async function expiredBeforeMs(guard: Guard, setting: RetentionSetting): Promise<number> {
  const { days, loggedDays: logged } = await readRetention(guard, setting);
  if (days === logged) return guard.clock.nowMs() - days * DAY_MS;
  throw new WritError('USAGE', `the config file says ${days} days of retention, the log says ${logged}`, {
    hint: `say it where it is logged: writ audit retention --days ${days}`,
  });
}

async function loggedDays(guard: Guard): Promise<number> {
  const [row] = await guard.store.ownEntries('retention.changed', 1);
  const days = row === undefined ? MINIMUM_RETENTION_DAYS : parseEntry(row.bytes).data['days'];
  return typeof days === 'number' ? days : MINIMUM_RETENTION_DAYS;
}
