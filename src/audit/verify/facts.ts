// The data of one entry, read strictly: what is absent or of another type becomes a finding. Everything in it is
// attacker-controlled.
import { parseTime } from '../time.js';
import type { EntryData, JudgedEntry } from './judged-entry.js';
import type { FindingList } from './report.js';

/** An attempt of a step; `key` names it within its run. */
export interface StepRef {
  readonly stepPath: string;
  readonly attempt: number;
  readonly key: string;
}

/** Reads one entry; every fault it meets is added to the lists it is given. */
export class Facts {
  readonly data: EntryData;

  constructor(
    readonly index: bigint,
    readonly entry: JudgedEntry,
    private readonly shape: FindingList,
    private readonly order: FindingList,
  ) {
    this.data = entry.data;
  }

  get timeMs(): number {
    return this.entry.timeMs;
  }

  text(key: string): string | null {
    const value = this.data.get(key);
    if (typeof value === 'string') return value;
    this.misshapen(key);
    return null;
  }

  /** undefined when it is neither. */
  textOrNull(key: string): string | null | undefined {
    const value = this.data.get(key);
    if (typeof value === 'string' || value === null) return value;
    this.misshapen(key);
    return undefined;
  }

  time(key: string): number | null {
    const value = this.data.get(key);
    const timeMs = typeof value === 'string' ? parseTime(value) : null;
    if (timeMs === null) this.misshapen(key);
    return timeMs;
  }

  step(): StepRef | null {
    const stepPath = this.text('stepPath');
    const attempt = this.data.get('attempt');
    if (typeof attempt !== 'number' || !Number.isSafeInteger(attempt)) {
      this.misshapen('attempt');
      return null;
    }
    return stepPath === null ? null : { stepPath, attempt, key: `${attempt} ${stepPath}` };
  }

  misshapen(key: string): void {
    const { index } = this;
    const message = `entry ${index} (${this.entry.type}) has no valid data.${key}`;
    this.shape.add('not-canonical', message, { index });
  }

  broken(reason: string): void {
    const { index } = this;
    this.order.add('order-broken', `entry ${index} (${this.entry.type}): ${reason}`, { index });
  }
}
