// Texts for the quick reader of YAML and the parser, which have to agree about each.
import fc from 'fast-check';
import type { Json } from '../../src/json.js';

const word = fc.constantFrom(
  ...[
    'a',
    'rules',
    'role:x',
    'user:al',
    'tool::*',
    'a b',
    'x/y',
    '/d',
    'true',
    'True',
    'null',
    '~',
    '0',
    '12',
    '007',
    '1.5',
  ],
  ...[
    '0x1',
    '-1',
    '+1',
    '.5',
    'yes',
    '*',
    '?',
    '- x',
    'a: b',
    'a:',
    'a #b',
    'a#b',
    '#',
    '',
    ' a',
    'a ',
    "it's",
    '"q"',
    '\\',
    'é',
  ],
  ...[
    'a,b',
    '[a',
    'b]',
    '{a',
    'a}',
    '&a',
    '*a',
    '!a',
    '|',
    '>',
    '%',
    '@',
    '`',
    '2026-01-01T00:00:00Z',
    'a\u00a0b',
    'a\u200bb',
    'a\tb',
  ],
);
const quotedWord = fc
  .tuple(word, fc.constantFrom('plain', 'plain', 'single', 'double'))
  .map(([text, how]) => (how === 'plain' ? text : how === 'single' ? `'${text}'` : `"${text}"`));
const { flow } = fc.letrec<{ flow: string; list: string; map: string }>((tie) => ({
  flow: fc.oneof({ maxDepth: 3 }, quotedWord, tie('list'), tie('map')),
  list: fc.array(tie('flow'), { maxLength: 3 }).map((items) => `[${items.join(', ')}]`),
  map: fc
    .array(fc.tuple(quotedWord, fc.constantFrom(': ', ':', ' : '), tie('flow')), { maxLength: 3 })
    .map((pairs) => `{${pairs.map((pair) => pair.join('')).join(',')} }`),
}));
const line = fc
  .tuple(
    fc.constantFrom('', '', '  ', '  ', '    ', '   ', '\t'),
    fc.constantFrom('', '', '- ', '-  ', '- - ', '-'),
    fc.oneof(
      quotedWord.map((key) => `${key}:`),
      fc.tuple(quotedWord, flow).map(([key, value]) => `${key}: ${value}`),
      flow,
    ),
    fc.constantFrom('', '', '', ' ', ' # words', '# words', '\r'),
  )
  .map((parts) => parts.join(''));
const good = fc
  .tuple(fc.integer({ min: 0, max: 99 }), fc.constantFrom('x', 'role:x', '7', 'true', "'it'", '[a, b]', ''))
  .map(([key, text]) => `k${key}: ${text}`.trimEnd());
/** Lines as people write them, and as they slip: among good ones, so that a slip is met where all else is right. */
export const yamlLines = fc
  .array(
    fc.oneof(
      { weight: 5, arbitrary: line },
      { weight: 5, arbitrary: good },
      { weight: 1, arbitrary: fc.constantFrom('', '# c', '  # c', '---', '...', '%YAML 1.2') },
    ),
    { maxLength: 8 },
  )
  .map((rows) => rows.join('\n'));

/** A value, written in one of several good styles. */
const leafValue = fc.oneof(fc.constantFrom('role:x', 'a b', 'tool::x', 'x'), fc.nat(9999), fc.boolean());
const { value } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    leafValue,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('id', 'rules', 'role:a', 'b.c', 'd-e'), tie('value'), { maxKeys: 4 }),
  ),
}));
function write(one: Json, indent: string, style: number): string {
  if (typeof one !== 'object' || one === null) return ` ${String(one)}`;
  const isFlow = (style & 1) === 1 && indent !== '';
  if (isFlow || Object.keys(one).length === 0) return ` ${JSON.stringify(one)}`;
  const next = style >> 1;
  if (Array.isArray(one)) {
    return `\n${one.map((item) => `${indent}-${compact(write(item as Json, `${indent}  `, next))}`).join('\n')}`;
  }
  const rows = Object.entries(one).map(
    ([key, child]) => `${indent}${key}:${write(child, `${indent}  `, next)}`,
  );
  return `\n${rows.join((style & 2) === 2 ? '\n# c\n\n' : '\n')}`;
}
/** `- key:` on one line. */
function compact(text: string): string {
  return text.replace(/^\n +/, ' ');
}

/** A mapping or list in one of several good styles. */
export const styledYaml = fc
  .tuple(
    value.filter((one) => typeof one === 'object' && one !== null),
    fc.nat(255),
    fc.constantFrom('', '\n', ' # end\n'),
  )
  .map(([one, style, end]) => write(one, '', style).trimStart() + end);

/** One {} or [] over several lines, as people write it and as they slip. */
export const flowLines = fc
  .tuple(flow, fc.array(fc.constantFrom(' ', '\n', '\n', '\n  ', '\n\n', ' # c\n', ''), { maxLength: 12 }))
  .map(([text, breaks]) => {
    let at = 0;
    return text.replace(/(?<=[,[{:])\s?|\s?(?=[\]},])/g, (blank) => breaks[at++] ?? blank);
  });

/** Data as JSON, on one line or over several. */
export const jsonText = fc
  .tuple(value, fc.constantFrom(undefined, 1, 2, '   '), fc.constantFrom('', '\n', '\n\n  \n'))
  .map(([one, indent, end]) => JSON.stringify(one, null, indent) + end);
