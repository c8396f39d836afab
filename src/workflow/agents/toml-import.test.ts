// AgentOS's files become ours: what they say is kept, what can't be kept is named, and the result is a valid file.
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { isDigest, type JsonObject } from '../../json.js';
import { checkValue } from '../input.js';
import { readAgentFile, readHandFile } from './read.js';
import { importToml } from './toml-import.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const digest = isDigest(DIGEST) ? DIGEST : null;
if (digest === null) throw new TypeError('no digest');

/** The fields and their order as AgentOS writes them: the prompt stands behind [agent.resources], and so inside it. */
const AGENT = `[agent]
name = "clerk"
description = "Answers letters"
module = "builtin:chat"

[agent.model]
provider = "acme"
model = "acme-large"
max_tokens = 4096

[agent.capabilities]
functions = ["fn::web_fetch", "memory::*", "*"]
memory_scopes = ["self.*", "shared.*"]
network_hosts = ["*"]

[agent.resources]
max_tokens_per_hour = 500000

system_prompt = """
Be kind.
Be short: "yes" or 'no'.
"""

tags = ["letters"]

[persona]
division = "support"

[persona.workflow]
phases = ["Read", "Write"]
`;

const HAND = `[hand]
id = "desk"
name = "Front Desk"
description = "Sorts what comes in"
enabled = true
schedule = "0 8 * * 1-5"

[hand.functions]
allowed = ["fn::web_search", "memory::store"]

[[hand.settings]]
key = "depth"
type = "select"
default = "thorough"
options = ["quick", "thorough"]

[[hand.settings]]
key = "limit"
type = "number"
default = "25"
options = ["10", "25"]

[[hand.settings]]
key = "follow_up"
type = "boolean"
default = "true"
options = ["true", "false"]

[[hand.settings]]
key = "topic"
type = "text"
default = "claims"
options = []

[hand.agent]
max_iterations = 80
temperature = 0.3
system_prompt = """
Sort it.
"""

[[hand.dashboard.metrics]]
label = "Sorted"
key = "sorted"
`;

describe('an imported agent.toml', () => {
  it('is an agent file of ours', () => {
    const { kind, name, yaml } = importToml(AGENT, 'x.toml');
    expect([kind, name]).toEqual(['agent', 'clerk']);
    const { value, diagnostics } = readAgentFile(yaml, name, digest);
    expect(diagnostics).toEqual([]);
    expect(value).toMatchObject({
      description: 'Answers letters',
      provider: 'acme',
      model: 'acme-large',
      systemPrompt: 'Be kind.\nBe short: "yes" or \'no\'.\n',
      tools: ['tool::web_fetch', 'memory::*'],
      maxOutputTokens: 4096,
    });
  });

  it('leaves nothing out without a word, and never allows everything', () => {
    expect(importToml(AGENT, 'x.toml').warnings).toEqual([
      'x.toml:7:1: agent.model.provider: add "acme" to models.yaml, with its OpenAI-compatible baseUrl',
      'x.toml:12:1: the function "*" is not imported: name the functions one by one, or a namespace as ns::*',
      'x.toml:13:1: agent.capabilities.memory_scopes is not imported: nothing is remembered between calls here',
      'x.toml:14:1: agent.capabilities.network_hosts is not imported: say it in a ceiling: network',
      'x.toml:17:1: agent.resources.max_tokens_per_hour is not imported: say it in a ceiling: budgets',
      'x.toml:24:1: agent.resources.tags is not imported',
      'x.toml:27:1: persona.division is not imported',
      'x.toml:30:1: persona.workflow.phases is not imported',
    ]);
  });

  it('says where a field stands that it does not know, and which one was meant', () => {
    const text = [
      '[agent]',
      'name = "a"',
      "description = '''",
      'moduel = "a line of a text"',
      "'''",
      '  discription = "b" # misspelt',
      '[ agent . model ]',
      'temprature = 1',
      '"odd key" = 2',
      'nested.field = 3',
      '[[agent.rules]]',
      'x = 1',
    ].join('\r\n');
    expect(importToml(text, 'x.toml').warnings).toEqual([
      'x.toml:6:3: agent.discription is not imported',
      'x.toml:8:1: agent.model.temprature is not imported: did you mean "temperature"?',
      'x.toml:9:1: agent.model.odd key is not imported',
      'x.toml:10:1: agent.model.nested.field is not imported',
      'x.toml:11:3: agent.rules is not imported',
    ]);
  });

  it('keeps a prompt that stands where it seems to stand, and names fields of a wrong type', () => {
    const { yaml, warnings } = importToml(
      '[agent]\nname = "a"\nsystem_prompt = "Hi."\ndescription = 7\n',
      'x.toml',
    );
    expect(parse(yaml)).toEqual({ name: 'a', systemPrompt: 'Hi.', tools: [] });
    expect(warnings).toEqual(['x.toml:4:1: agent.description is not imported']);
  });
});

describe('an imported HAND.toml', () => {
  it('is a hand file of ours, its settings the input with their defaults', () => {
    const { kind, name, yaml } = importToml(HAND, 'x.toml');
    expect([kind, name]).toEqual(['hand', 'desk']);
    const { value, diagnostics } = readHandFile(yaml, name, digest);
    expect(diagnostics).toEqual([]);
    expect(value).toMatchObject({
      name: 'Front Desk',
      enabled: true,
      systemPrompt: 'Sort it.\n',
      allowed: ['tool::web_search', 'memory::store'],
      maxTurns: 80,
      temperature: 0.3,
      input: {
        type: 'object',
        properties: {
          depth: { enum: ['quick', 'thorough'], default: 'thorough' },
          limit: { type: 'number', enum: [10, 25], default: 25 },
          follow_up: { type: 'boolean', default: true },
          topic: { type: 'string', default: 'claims' },
        },
      },
    });
  });

  it('takes more than its settings: the topic that a step gives is in no HAND.toml', () => {
    const { input } = parse(importToml(HAND, 'x.toml').yaml) as { input: JsonObject };
    expect(Object.keys(input)).toEqual(['type', 'properties']);
    const given = { topic: 'claims', tags: ['automated'] };
    expect(checkValue(input, given, 'input')).toEqual([]);
    expect(checkValue(input, { ...given, limit: 7 }, 'input')).toHaveLength(1);
  });

  it('leaves nothing out without a word', () => {
    expect(importToml(HAND, 'x.toml').warnings).toEqual([
      'x.toml:6:1: hand.schedule is not imported: start it by your scheduler: writ run FILE with a step that calls hand::run',
      'x.toml:42:3: hand.dashboard.metrics is not imported',
    ]);
  });

  it('may write its settings with values of their own type, bounds and words for people', () => {
    const settings = [
      'key = "limit"\nlabel = "Most"\ndescription = "letters"\nsetting_type = "number"\ndefault = 5\nmin = 1\nmax = 9',
      'key = "loud"\ntype = "bool"\ndefault = true',
      'key = "mood"\ntype = "dropdown"\ndefault = "calm"\noptions = ["calm"]\nicon = "x"',
    ];
    const text = `[hand]\nid = "a"\n${settings.map((one) => `[[hand.settings]]\n${one}\n`).join('')}`;
    const { yaml, warnings } = importToml(text, 'x.toml');
    expect((parse(yaml) as { input: JsonObject }).input['properties']).toEqual({
      limit: { type: 'number', minimum: 1, maximum: 9, default: 5, title: 'Most', description: 'letters' },
      loud: { type: 'boolean', default: true },
      mood: { type: 'string', default: 'calm' },
    });
    expect(warnings).toEqual([
      'x.toml:17:1: the setting mood has the type dropdown, imported as text',
      'x.toml:19:1: the options of the setting mood are not imported',
      'x.toml:20:1: hand.settings[2].icon is not imported',
    ]);
  });

  it('takes its functions from [hand.tools] too, as older files have them', () => {
    const { yaml, warnings } = importToml(
      '[hand]\nid = "a"\n[hand.tools]\nallowed = ["fn::wasm"]\n',
      'x.toml',
    );
    expect(parse(yaml)).toMatchObject({ functions: { allowed: ['tool::wasm'] } });
    expect(warnings).toEqual([]);
  });

  it('has 100 turns at most', () => {
    const { yaml, warnings } = importToml('[hand]\nid = "a"\n[hand.agent]\nmax_iterations = 500\n', 'x.toml');
    expect(parse(yaml)).toMatchObject({ maxTurns: 100 });
    expect(warnings).toEqual([
      'x.toml:4:1: hand.agent.max_iterations is 500, imported as 100, which is the most',
    ]);
  });
});

describe('what is no such file', () => {
  it.each([
    ['broken TOML', '[agent]\nname = "a', 'DOC_SYNTAX', /^x\.toml:2:\d+: /],
    ['another table', '[package]\nname = "a"', 'DOC_INVALID', /neither an agent.toml nor a HAND.toml/],
    ['a name that is a path', '[agent]\nname = "../../etc/passwd"', 'DOC_INVALID', /agent.name is no name/],
    ['no name', '[hand]\n', 'DOC_INVALID', /hand.id is no name/],
    ['a name of the prototype', '[agent]\n__proto__ = 1', 'DOC_INVALID', /agent.name is no name/],
    ['deep tables', `[agent]\nname = ${'['.repeat(5000)}${']'.repeat(5000)}`, 'DOC_SYNTAX', /^x\.toml:2:/],
    ['too much', `#${'x'.repeat(1024 * 1024)}`, 'DOC_TOO_LARGE', /longer than/],
  ])('is refused: %s', (_, text, code, message) => {
    expect(() => importToml(text, 'x.toml')).toThrow(message);
    try {
      importToml(text, 'x.toml');
    } catch (error) {
      expect(error).toMatchObject({ code });
    }
  });
});
