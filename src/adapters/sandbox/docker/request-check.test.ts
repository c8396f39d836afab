import { describe, expect, it } from 'vitest';
import type { Digest } from '../../../json.js';
import type { SandboxRequest } from '../../../runtime/ports.js';
import { createOptions, hostConfigSha256, type ContainerSpec } from './container-spec.js';
import { checkRequest, DEFAULT_LIMITS } from './request-check.js';

const digest = `sha256:${'ab'.repeat(32)}` as Digest;
const request = (change: Partial<SandboxRequest> = {}): SandboxRequest => ({
  argv: ['true'],
  env: {},
  stdin: new Uint8Array(0),
  program: { kind: 'image', digest, repository: null },
  limits: DEFAULT_LIMITS,
  ...change,
});
const limits = (change: object): SandboxRequest => request({ limits: { ...DEFAULT_LIMITS, ...change } });

describe('what the docker sandbox takes', () => {
  it('sets every limit, files in memory included', () => {
    expect(checkRequest(request()).limits).toEqual({
      timeoutMs: 30_000,
      cpuMs: null,
      memoryMiB: 256,
      outputBytes: 1_048_576,
      cpus: 1,
      pids: 64,
      diskMiB: 64,
      tmpMiB: 16,
    });
    expect(checkRequest(limits({ memoryMiB: 32 })).limits).toMatchObject({ diskMiB: 8, tmpMiB: 4 });
  });

  it('takes the smallest and largest of each limit, and nothing beyond', () => {
    for (const [name, least, most] of [
      ['timeoutMs', 1, 900_000],
      ['cpuMs', 1, 900_000],
      ['memoryMiB', 16, 65_536],
      ['outputBytes', 1, 16_777_216],
      ['cpus', 0.01, 256],
      ['pids', 4, 1_024],
    ] as const) {
      expect(() => checkRequest(limits({ [name]: least }))).not.toThrow();
      expect(() => checkRequest(limits({ [name]: most }))).not.toThrow();
      for (const value of [0, -1, most + 1, Number.NaN, '1']) {
        expect(() => checkRequest(limits({ [name]: value })), `${name} ${value}`).toThrow(/can't keep/);
      }
    }
  });

  it('leaves no room for files beyond the memory', () => {
    expect(checkRequest(limits({ memoryMiB: 64, diskMiB: 54 })).limits.diskMiB).toBe(54);
    expect(() => checkRequest(limits({ memoryMiB: 64, diskMiB: 55 }))).toThrow(/do not fit/);
  });

  it.each(['privileged', 'binds', 'networkMode', 'capAdd', 'HostConfig'])('has no limit %s', (name) => {
    expect(() => checkRequest(limits({ [name]: 1 }))).toThrow(/no limit/);
  });

  it('takes no module, no program without a name, no files of the same name', () => {
    const module = { kind: 'module', digest, bytes: new Uint8Array(0) } as const;
    expect(() => checkRequest(request({ program: module }))).toThrow(/images/);
    expect(() => checkRequest(request({ argv: [] }))).toThrow(/no program/);
    const file = { path: 'a', bytes: new Uint8Array(0) };
    expect(() => checkRequest(request({ files: [file, file] }))).toThrow(/same path/);
    for (const cwd of ['/work/a', '/work/a/b'])
      expect(() => checkRequest(request({ cwd, files: [{ ...file, path: 'a' }] }))).toThrow(/also a folder/);
    const below = {
      cwd: '/work/a',
      files: [
        { ...file, path: 'a/b' },
        { ...file, path: 'ab' },
      ],
    };
    expect(checkRequest(request(below)).cwd).toBe('/work/a');
  });

  it.each(['Name:latest', '../x', 'a b', ''])('takes no repository %j', (repository) => {
    const program = { kind: 'image', digest, repository } as const;
    expect(() => checkRequest(request({ program }))).toThrow(/repository/);
  });
});

describe('the container', () => {
  const spec: ContainerSpec = {
    imageId: digest,
    argv: ['true'],
    env: { A: 'b=c' },
    cwd: '/work',
    limits: checkRequest(limits({ cpus: 0.5, cpuMs: 1_500 })).limits,
    mounts: [],
    runtime: 'runc',
    seccomp: '{}',
    cores: 2,
    labels: { 'writ.runner': 'x' },
  };

  it('has exactly these settings', () => {
    const { HostConfig, ...options } = createOptions(spec);
    expect(options).toEqual({
      Image: digest,
      Entrypoint: [],
      Cmd: ['true'],
      User: '65534:65534',
      WorkingDir: '/work',
      Env: ['A=b=c'],
      Labels: { 'writ.runner': 'x' },
      Healthcheck: { Test: ['NONE'] },
      Tty: false,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      NetworkDisabled: true,
    });
    expect(HostConfig).toEqual({
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges', 'seccomp={}'],
      // In place of the engine's list: at least what its latest release hides.
      MaskedPaths: expect.arrayContaining([
        ...['acpi', 'asound', 'interrupts', 'kcore', 'keys', 'latency_stats', 'sched_debug', 'scsi'].map(
          (name) => `/proc/${name}`,
        ),
        ...['/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual', '/sys/firmware'],
        '/sys/devices/system/cpu/cpu0/thermal_throttle',
        '/sys/devices/system/cpu/cpu1/thermal_throttle',
      ]) as unknown,
      Memory: 268_435_456,
      MemorySwap: 268_435_456,
      MemorySwappiness: 0,
      NanoCpus: 500_000_000,
      PidsLimit: 64,
      ShmSize: 1_048_576,
      Init: true,
      IpcMode: 'private',
      CgroupnsMode: 'private',
      OomScoreAdj: 500,
      Dns: ['127.0.0.1'],
      Ulimits: [
        { Name: 'nofile', Soft: 256, Hard: 256 },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'fsize', Soft: 67_108_864, Hard: 67_108_864 },
        { Name: 'cpu', Soft: 3, Hard: 3 },
      ],
      Tmpfs: {
        '/tmp': 'rw,noexec,nosuid,nodev,size=16m,nr_inodes=4096,uid=65534,gid=65534,mode=1777',
        '/work': 'rw,exec,nosuid,nodev,size=64m,nr_inodes=4096,uid=65534,gid=65534,mode=0700',
      },
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      Runtime: 'runc',
    });
  });

  it('is told apart by its settings', () => {
    expect(hostConfigSha256(spec)).toMatch(/^[0-9a-f]{64}$/);
    expect(hostConfigSha256({ ...spec, seccomp: '{"a":1}' })).not.toBe(hostConfigSha256(spec));
    expect(hostConfigSha256({ ...spec, argv: ['false'] })).toBe(hostConfigSha256(spec));
  });

  it('binds what a step may see, not what is mounted below it', () => {
    const mounts = [{ source: '/data', target: '/mnt/data', mode: 'ro' as const }];
    expect(createOptions({ ...spec, mounts }).HostConfig?.Mounts).toEqual([
      {
        Type: 'bind',
        Source: '/data',
        Target: '/mnt/data',
        ReadOnly: true,
        BindOptions: { NonRecursive: true, Propagation: 'rprivate' },
      },
    ]);
  });
});

describe('what a ceiling requires', () => {
  const requiring = (...require: string[]) => checkRequest(request({ require })).runtime;

  it('chooses the runtime that is required, and no other', () => {
    expect(requiring('nonRoot', 'seccomp')).toBeNull();
    expect(requiring('runtime:kata')).toBe('kata');
    expect(() => requiring('runtime:kata', 'runtime:runsc')).toThrow(/two/);
    expect(() => checkRequest(request({ require: ['runtime:kata'], runtime: 'runc' }))).toThrow(
      /requires kata/,
    );
  });

  it('refuses what it has never heard of', () => {
    expect(() => requiring('aMoat')).toThrow(/aMoat/);
  });
});
