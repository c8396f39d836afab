import { describe, expect, it } from 'vitest';
import type { EgressDecision } from '../../runtime/ports.js';
import { Gate } from './gate.js';
import { Traffic } from './traffic.js';

const TARGET = { host: 'api.test:443', hostname: 'api.test', port: 443 };

/** The decision is durable when the test says so. */
function opened() {
  const decisions: EgressDecision[] = [];
  let endOfRecord = (): void => undefined;
  const gate = new Gate(
    {
      egress: {
        // Loopback is private: the address is listed itself, too.
        ...{ hosts: [TARGET.host, '127.0.0.1:443'], credentials: [], bytes: 1000, requests: 10 },
        record: (decision) => {
          decisions.push(decision);
          return new Promise((resolve) => {
            endOfRecord = resolve;
          });
        },
      },
      credentials: [],
      traffic: new Traffic({ bytes: 1000, requests: 10 }, () => undefined),
      resolve: () => Promise.resolve(['127.0.0.1']),
    },
    () => expect.unreachable('every decision is recorded'),
  );
  return { gate, decisions, becomesDurable: () => endOfRecord() };
}

/** Until the gate waits for nothing but the record. */
const recorded = (decisions: readonly unknown[]) => expect.poll(() => decisions.length).toBe(1);

describe('HOLE: a step that ends while a decision about a request becomes durable', () => {
  const ENCODED = 'the body is encoded in a way that is not passed on';
  it.each([
    ['an allowed one', null, { verdict: 'allow', addresses: ['127.0.0.1'], used: [] }],
    ['a refused one', ENCODED, { verdict: 'deny', reason: ENCODED }],
  ] as const)('lets nothing pass any more, and answers nothing: %s', async (_, problem, otherwise) => {
    for (const isEnded of [false, true]) {
      const { gate, decisions, becomesDurable } = opened();
      const passage = gate.pass(TARGET, [], true, problem);
      await recorded(decisions);
      if (isEnded) gate.close();
      becomesDurable();
      expect(await passage).toEqual(isEnded ? { verdict: 'over' } : otherwise);
    }
  });
});
