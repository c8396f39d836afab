import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { controlGroupOf } from './control-group.js';

const ID = 'a'.repeat(64);
const PID = 4_711;

describe('control group of a container', () => {
  let places: { processes: string; groups: string };
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'writ-group-'));
    places = { processes: join(home, 'proc'), groups: join(home, 'cgroup') };
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  const put = (file: string, text: string): void => {
    mkdirSync(join(home, file, '..'), { recursive: true });
    writeFileSync(join(home, file), text);
  };
  const process = (lines: string): void => put(`proc/${PID}/cgroup`, lines);

  it('reads both counts of version 1, also where controllers share a hierarchy', () => {
    process(`5:name=systemd:/x\n4:memory:/docker/${ID}\n2:cpu,cpuacct:/docker/${ID}\n0::/docker/${ID}\n`);
    put(`cgroup/cpu,cpuacct/docker/${ID}/cpuacct.usage`, '28588766\n');
    put(`cgroup/memory/docker/${ID}/memory.oom_control`, 'oom_kill_disable 0\nunder_oom 0\noom_kill 3\n');
    const group = controlGroupOf(ID, PID, places);
    expect(group?.cpuMs()).toBeCloseTo(28.59, 2);
    expect(group?.oomKills()).toBe(3);
  });

  it('reads both counts of version 2', () => {
    process(`0::/system.slice/docker-${ID}.scope\n`);
    put(`cgroup/system.slice/docker-${ID}.scope/cpu.stat`, 'usage_usec 1500\nuser_usec 1000\n');
    put(`cgroup/system.slice/docker-${ID}.scope/memory.events`, 'low 0\noom 1\noom_kill 1\n');
    const group = controlGroupOf(ID, PID, places);
    expect(group?.cpuMs()).toBe(1.5);
    expect(group?.oomKills()).toBe(1);
  });

  it('knows nothing of a group once it is gone', () => {
    process(`2:cpuacct:/docker/${ID}\n`);
    put(`cgroup/cpuacct/docker/${ID}/cpuacct.usage`, '1\n');
    const group = controlGroupOf(ID, PID, places);
    rmSync(places.groups, { recursive: true });
    expect(group?.cpuMs()).toBeNull();
    expect(group?.oomKills()).toBeNull();
  });

  it.each([
    ['another container', `2:cpuacct:/docker/${'b'.repeat(64)}\n`],
    ['no container', '2:cpuacct:/\n0::/\n'],
    ['a group above the one that can be seen', `2:cpuacct:/../docker/${ID}\n`],
    ['nothing readable', '\n\n:::\n'],
  ])('takes no count of a process id that belongs to %s', (_what, lines) => {
    process(lines);
    for (const name of [ID, 'b'.repeat(64), ''])
      put(`cgroup/cpuacct/docker/${name === '' ? '' : `${name}/`}cpuacct.usage`, '1\n');
    put('cgroup/cpuacct/cpuacct.usage', '1\n');
    expect(controlGroupOf(ID, PID, places)).toBeNull();
  });

  it('takes no count of a container that has ended, or that does not exist', () => {
    expect(controlGroupOf(ID, 0, places)).toBeNull();
    expect(controlGroupOf(ID, PID, places)).toBeNull();
    expect(controlGroupOf('../../etc', PID, places)).toBeNull();
  });
});
