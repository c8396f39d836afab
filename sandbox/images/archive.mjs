// An image as a docker-archive, made in memory: same files, same bytes, same id on every machine. Nothing here reads a
// clock; owner is root, times are zero, and no file keeps a set-id bit.
import { createHash } from 'node:crypto';

const BLOCK = 512;

/**
 * A tar (ustar) of `entries`, in their order.
 * @param {{path: string, mode: number, type: 'file' | 'directory' | 'link', bytes?: Uint8Array, target?: string}[]} entries
 */
export function tarOf(entries) {
  const parts = entries.flatMap((entry) => {
    const bytes = entry.bytes ?? Buffer.alloc(0);
    return [header(entry, bytes.length), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

/** The archive and the id the engine will give the image: the SHA-256 of its configuration. */
export function imageOf(entries, { name, config }) {
  const layer = tarOf(entries);
  const content = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      config,
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(layer)}`] },
    }),
  );
  const id = sha256(content);
  const manifest = [
    { Config: `${id}.json`, RepoTags: [`${name}:${id.slice(0, 12)}`], Layers: ['layer.tar'] },
  ];
  const file = (path, bytes) => ({ path, mode: 0o644, type: 'file', bytes });
  const archive = tarOf([
    file('manifest.json', Buffer.from(JSON.stringify(manifest))),
    file(`${id}.json`, content),
    file('layer.tar', layer),
  ]);
  return { id: `sha256:${id}`, archive };
}

function header({ path, mode, type, target = '' }, size) {
  const { name, prefix } = split(type === 'directory' ? `${path}/` : path);
  const block = Buffer.alloc(BLOCK);
  if (Buffer.byteLength(target) > 100) throw new Error(`the target of ${path} is too long: ${target}`);
  const text = (value, at) => block.write(value, at, 'utf8');
  const octal = (value, at, length) => text(value.toString(8).padStart(length - 1, '0'), at);
  text(name, 0);
  octal(mode & 0o1777, 100, 8);
  octal(0, 108, 8);
  octal(0, 116, 8);
  octal(size, 124, 12);
  octal(0, 136, 12);
  text('        ', 148);
  text({ file: '0', link: '2', directory: '5' }[type], 156);
  text(target, 157);
  text('ustar\u000000', 257);
  text(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** ustar holds a long path in two parts. */
function split(path) {
  if (Buffer.byteLength(path) <= 100) return { name: path, prefix: '' };
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= 155 && name !== '' && Buffer.byteLength(name) <= 100)
      return { name, prefix };
  }
  throw new Error(`the path is too long for a tar: ${path}`);
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
