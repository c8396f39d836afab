// The commands `writ sandbox …`.
import { Option } from 'commander';
import { collectText, textsIn, textsOf } from './options.js';
import type { Group } from './verb.js';

export const sandboxCommands: Group = {
  name: 'sandbox',
  does: 'try a sandbox by hand',
  example: 'writ sandbox exec --driver docker -- sh -c id',
  verbs: [
    {
      name: 'exec',
      does: 'run one program in a sandbox, governed and logged as a step',
      example:
        'writ sandbox exec --driver docker --image default --timeout-ms 2000 --json -- sh -c "id; ls -l /"',
      words: [['[argv...]', 'program and arguments, after --; a WASM module gets the arguments']],
      options: [
        new Option('--driver <kind>', 'the sandbox').choices(['docker', 'wasm']).makeOptionMandatory(),
        ['--image <image>', "docker: a name of docker.yaml, or sha256:… (default: docker.yaml's default)"],
        ['--module <module>', 'wasm: a shipped module, sha256:… of a kept one, or a FILE.wasm to keep'],
        ['--profile <name>', 'strict, the only one'],
        ['--runtime <name>', 'docker: the container runtime it must be'],
        ['--cwd <dir>', 'docker: /work or below'],
        ['--timeout-ms <n>', 'wall time'],
        ['--memory-mib <n>', 'memory, files in it included'],
        ['--output-bytes <n>', 'stdout and stderr together'],
        ['--cpu-ms <n>', 'CPU time of all processes and threads'],
        ['--cpus <n>', 'docker: cores'],
        ['--pids <n>', 'docker: processes and threads'],
        ['--disk-mib <n>', 'files in /work (wasm: /workspace)'],
        ['--egress-bytes <n>', 'docker: bytes to and from all hosts'],
        ['--egress-requests <n>', 'docker: requests and connections, refused ones too'],
        ['--env <name=value>', 'a variable; may be given again', collectText],
        ['--file <host=name>', 'put a file into /work (wasm: /workspace); may be given again', collectText],
        ['--out <pattern>', 'bring files back from there; may be given again', collectText],
        ['--out-dir <dir>', 'write what --out brought back to this folder'],
        [
          '--mount <source:target>',
          'docker: a folder that a ceiling lists, at /mnt/…; :rw to write',
          collectText,
        ],
        [
          '--egress <host:port>',
          'docker: a host that a ceiling lists, reached by a proxy; may be given again (also: --network egress --allow)',
          collectText,
        ],
        // As other tools say it; --egress alone says it all.
        new Option('--network <mode>').choices(['none', 'egress']).hideHelp(),
        new Option('--allow <host:port>').argParser(collectText).hideHelp(),
        ['--credential <name>', 'docker: a secret, put into requests outside of the container', collectText],
        ['--deterministic', 'wasm: a clock that stands still, and random bytes from the attempt alone'],
        ['--stdin <file>', 'a file, or - for stdin'],
      ],
      action: async (context, argv, flags) => {
        const { memoryMib: memoryMiB, diskMib: diskMiB } = textsIn(flags, 'memoryMib', 'diskMib');
        return (await import('../sandbox/sandbox.js')).execInSandbox(context, argv, {
          driver: flags['driver'] === 'wasm' ? 'wasm' : 'docker',
          ...textsIn(flags, 'image', 'module', 'profile', 'runtime', 'network', 'cwd', 'stdin', 'outDir'),
          deterministic: flags['deterministic'] === true,
          egress: [...new Set([...textsOf(flags['egress']), ...textsOf(flags['allow'])])],
          credential: textsOf(flags['credential']),
          mount: textsOf(flags['mount']),
          env: textsOf(flags['env']),
          file: textsOf(flags['file']),
          out: textsOf(flags['out']),
          limits: {
            ...textsIn(flags, 'timeoutMs', 'cpuMs', 'cpus', 'pids', 'outputBytes'),
            ...textsIn(flags, 'egressBytes', 'egressRequests'),
            ...(memoryMiB === undefined ? {} : { memoryMiB }),
            ...(diskMiB === undefined ? {} : { diskMiB }),
          },
        });
      },
    },
  ],
};
