// What an operator sees of a server that is told to end, and what a caller is told of states that there are none of.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newDesk, type Desk } from '../cli/claims-desk.js';
import { hosted } from '../cli/writ.js';
import { ask, ownBearer, startServer, type Running } from './serving.js';

describe('a server', () => {
  let desk: Desk;
  let server: Running;

  beforeAll(async () => {
    desk = await newDesk(hosted);
    server = await startServer(desk);
  });
  afterAll(() => {
    desk.remove();
  });

  it('names the states of requests and of tasks to who asks for another one', async () => {
    const headers = ownBearer(desk, 'bob', server.audience);
    for (const [list, some] of [
      ['approvals', 'pending, approved, denied'],
      ['tasks', 'open, answered'],
    ]) {
      const { status, text } = await ask(`${server.url}/v1/${list}?state=waiting`, { headers });
      expect([status, text]).toEqual([400, expect.stringContaining(`state is one of ${some}`)]);
    }
  });

  it('says when it begins to end and when it has ended, and ends with 143', async () => {
    server.process.kill('SIGTERM');
    const { code, stderr } = await server.process.ended;
    expect(code).toBe(143);
    expect(stderr.trim().split('\n').slice(-2)).toEqual([
      '{"event":"serve.stopping"}',
      '{"event":"serve.stopped"}',
    ]);
  });
});
