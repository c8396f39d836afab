// The AgentOS page that dialect 1 was promised for, read from the shared folder beside the repository; nothing of it
// is copied here.
import { existsSync, readFileSync } from 'node:fs';

const PAGE = new URL('../../../shared/seeds/agentos-workflows.txt', import.meta.url);

/** Why the page's tests are skipped, as a part of their titles; '' when it is there. */
export const noSeedPage = existsSync(PAGE) ? '' : ' [skipped: no shared/seeds beside the repository]';

/** The page's text; empty when it is not there. */
export function seedPage(): string {
  return existsSync(PAGE) ? readFileSync(PAGE, 'utf8') : '';
}

/**
 * Every YAML block of the page, in its order: whole workflows, lists of steps, and parts of one step. The page has no
 * fences: a block begins at a key and ends at the first line that is no YAML.
 */
export function yamlBlocks(page: string): readonly string[] {
  const blocks: string[][] = [];
  let block: string[] | null = null;
  for (const line of page.split('\n')) {
    if (block === null && /^(id|steps|mode|promptTemplate):/.test(line)) blocks.push((block = []));
    else if (block !== null && !/^(\s|[a-z]\w*:|$)/.test(line)) block = null;
    block?.push(line);
  }
  return blocks.map((lines) => lines.join('\n'));
}

/** The blocks that are workflows or lists of steps, as documents of their own. */
export function seedWorkflows(): readonly string[] {
  return yamlBlocks(seedPage()).filter((block) => /^(id|steps):/.test(block));
}
