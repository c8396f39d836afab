import { describe, expect, it } from 'vitest';
import type { Plan } from '../workflow/plan.js';
import {
  askingPath,
  endsInPlace,
  mapOf,
  placesOf,
  stepLabel,
  stepNames,
  withoutPlaces,
} from './step-path.js';

describe('a step path', () => {
  it.each([
    ['spec', null, null, 'spec', []],
    ['score[12]', null, 'score', 'score', [12]],
    ['ask/call[3]', 'ask', null, 'ask/call', [3]],
    ['score[1]/call[0]', 'score[1]', 'score', 'score/call', [1, 0]],
    ['score[1]/call[0]/call[2]', 'score[1]/call[0]', 'score', 'score/call/call', [1, 0, 2]],
    ['Map#2[4]', null, 'Map', 'Map', [4]],
    ['Map[0]/Check', null, null, 'Map/Check', [0]],
  ])('%s is read in one way everywhere', (path, asking, map, bare, places) => {
    expect(askingPath(path)).toBe(asking);
    expect(mapOf(path)).toBe(map);
    expect(withoutPlaces(path)).toBe(bare);
    expect(placesOf(path)).toEqual(places);
    expect(endsInPlace(path)).toBe(path.endsWith(']'));
  });
});

describe('a step path for people', () => {
  const plan = { dialect: 'steps', nodes: { 'check-status': { name: 'Check Status' } } } as unknown as Plan;
  const label = (path: string): string => stepLabel(stepNames(plan), path);

  it('has the name of the step, and the place of an item or a call', () => {
    expect(label('check-status')).toBe('Check Status');
    expect(label('check-status[2]')).toBe('Check Status[2]');
    expect(label('check-status/call[0]')).toBe('Check Status call[0]');
    expect(label('check-status[2]/call[0]')).toBe('Check Status[2] call[0]');
  });

  it('is left as it is where it names no step', () => {
    for (const path of ['', 'other', 'other[1]', 'Map[0]/check-status', 'constructor', '__proto__']) {
      expect(label(path)).toBe(path);
    }
    expect(stepLabel(stepNames({ ...plan, dialect: 'states' }), 'check-status')).toBe('check-status');
  });
});
