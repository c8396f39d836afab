import { describe, expect, it } from 'vitest';
import { found, machine, planOf, warned } from '../../../test/workflow/machine.js';

describe('limits and loops', () => {
  it('are those of AWS in plain documents, and by choice', () => {
    expect(planOf(machine('A: {Type: Succeed}')).maxDataBytes).toBe(262_144);
    expect(planOf(`AwsLimits: false\n${machine('A: {Type: Succeed}')}`).maxDataBytes).toBeNull();
    const native = (more: string) =>
      `apiVersion: agentrc.workflow/v0.1\nkind: AgentWorkflow\nmetadata: {name: m}\nspec: {startAt: A, states: {A: {type: Succeed}}${more}}`;
    expect(planOf(native('')).maxDataBytes).toBeNull();
    expect(planOf(native(', awsLimits: true')).maxDataBytes).toBe(262_144);
  });

  it('counts the states of every scope', () => {
    const states = Array.from(
      { length: 5001 },
      (_, i) => `"s${i}":{"Type":"Pass","${i === 5000 ? 'End":true' : `Next":"s${i + 1}"`}}`,
    );
    const branch = (names: readonly string[], start: string) =>
      `{"StartAt":"${start}","States":{${names.join()}}}`;
    const other = states.map((state) => state.replaceAll('"s', '"t'));
    const text = `{"StartAt":"A","States":{"A":{"Type":"Parallel","End":true,"Branches":[${branch(states, 's0')},${branch(other, 't0')}]}}}`;
    expect(found(text).map((one) => one.split(' ')[0])).toContain('DOC_TOO_LARGE');
  });

  it('warns of a loop in which nothing waits, and of no other', () => {
    const loop = (type: string) =>
      machine(
        'A: {Type: Pass, Next: B}',
        `B: {${type}, Next: C}`,
        'C: {Type: Choice, Choices: [{Variable: $.a, IsPresent: true, Next: D}], Default: A}',
        'D: {Type: Succeed}',
      );
    expect(warned(loop('Type: Pass'))).toEqual(['DOC_BAD_VALUE 3:3 states.A']);
    expect(warned(loop('Type: Wait, Seconds: 1'))).toEqual([]);
    expect(warned(loop('Type: Task, Resource: "arn:aws:states:::sqs:sendMessage.waitForTaskToken"'))).toEqual(
      [],
    );
    expect(warned(machine('A: {Type: Pass, Next: B}', 'B: {Type: Pass, End: true}'))).toEqual([]);
  });
});
