// The commands `writ sandbox …`.
import { type Command, Option } from 'commander';
import type { Leaf } from './leaf.js';
import { collectText, onlyOnce, onlyOneOf, textsIn, textsOf } from './options.js';

/** Registers them at `parent`. */
export function addSandboxCommands(parent: Command, leaf: Leaf): void {
  const exec = leaf(
    parent,
    'exec',
    'run one program in a sandbox, governed and logged as a step',
    'writ sandbox exec --driver docker --image default --timeout-ms 2000 --json -- sh -c "id; ls -l /"',
    async (context, argv, flags) => {
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
  )
    .argument('[argv...]', 'program and arguments, after --; a WASM module gets the arguments')
    .addOption(
      onlyOneOf(
        new Option('--driver <kind>', 'the sandbox').choices(['docker', 'wasm']).makeOptionMandatory(),
      ),
    )
    .option(
      '--image <image>',
      "docker: a name of docker.yaml, or sha256:… (default: docker.yaml's default)",
      onlyOnce,
    )
    .option(
      '--module <module>',
      'wasm: a shipped module, sha256:… of a kept one, or a FILE.wasm to keep',
      onlyOnce,
    )
    .option('--profile <name>', 'strict, the only one', onlyOnce)
    .option('--runtime <name>', 'docker: the container runtime it must be', onlyOnce)
    .option('--cwd <dir>', 'docker: /work or below', onlyOnce)
    .option('--timeout-ms <n>', 'wall time', onlyOnce)
    .option('--memory-mib <n>', 'memory, files in it included', onlyOnce)
    .option('--output-bytes <n>', 'stdout and stderr together', onlyOnce);
  for (const [flag, what] of [
    ['--cpu-ms', 'CPU time of all processes and threads'],
    ['--cpus', 'docker: cores'],
    ['--pids', 'docker: processes and threads'],
    ['--disk-mib', 'files in /work (wasm: /workspace)'],
    ['--egress-bytes', 'docker: bytes to and from all hosts'],
    ['--egress-requests', 'docker: requests and connections, refused ones too'],
  ]) {
    exec.option(`${flag ?? ''} <n>`, what ?? '', onlyOnce);
  }
  exec
    .option('--env <name=value>', 'a variable; may be given again', collectText)
    .option('--file <host=name>', 'put a file into /work (wasm: /workspace); may be given again', collectText)
    .option('--out <pattern>', 'bring files back from there; may be given again', collectText)
    .option('--out-dir <dir>', 'write what --out brought back to this folder', onlyOnce)
    .option(
      '--mount <source:target>',
      'docker: a folder that a ceiling lists, at /mnt/…; :rw to write',
      collectText,
    )
    .option(
      '--egress <host:port>',
      'docker: a host that a ceiling lists, reached by a proxy; may be given again (also: --network egress --allow)',
      collectText,
    )
    // As other tools say it; --egress alone says it all.
    .addOption(onlyOneOf(new Option('--network <mode>').choices(['none', 'egress']).hideHelp()))
    .addOption(new Option('--allow <host:port>').argParser(collectText).hideHelp())
    .option(
      '--credential <name>',
      'docker: a secret, put into requests outside of the container',
      collectText,
    )
    .option('--deterministic', 'wasm: a clock that stands still, and random bytes from the attempt alone')
    .option('--stdin <file>', 'a file, or - for stdin', onlyOnce);
}
