import { describe, expect, it } from 'vitest';
import { celHolds, celProblem } from './cel.ts';

const object = {
  metadata: { labels: { 'a/b': 'c' } },
  spec: { replicas: 3, ratio: 0.5 },
  status: { readyReplicas: 3, conditions: [{ type: 'Ready', status: 'True' }], gone: null },
};
const health = (source: string) => celHolds(source, 'health', { object });

describe('an expression', () => {
  it.each([
    ['object.status.readyReplicas == object.spec.replicas', true],
    ['object.status.readyReplicas + 1 == 4', true],
    ['object.spec.ratio < 1', true],
    ['object.status.conditions.exists(c, c.type == "Ready" && c.status == "True")', true],
    ['object.metadata.labels["a/b"] == "d"', false],
    ['has(object.status.observedGeneration)', false],
    ['object.status.gone == null', true],
  ])('%s gives %s', (source, expected) => {
    expect(health(source)).toBe(expected);
  });

  it('that names what is not there fails, and so does one that is neither true nor false', () => {
    expect(() => health('object.status.nope')).toThrow(/No such key: nope/);
    expect(() => health('object.status.readyReplicas')).toThrow('gives neither true nor false');
  });

  it.each([
    ['objekt.x', /Unknown variable: objekt/],
    ['object.x ==', /Unexpected/],
    ['"a" + 1 == "b"', /no such overload/],
    ['"text"', /gives string, not true or false/],
    [`${'('.repeat(60)}true${')'.repeat(60)}`, /depth/i],
    [Array.from({ length: 400 }, () => 'object.a').join(' || '), /nodes/i],
  ])('%j is wrong before it is run', (source, message) => {
    expect(celProblem(source, 'health')).toMatch(message);
  });

  it('ends after 50 ms, whatever it does', () => {
    const l = Array.from({ length: 300 }, (_, i) => i);
    expect(() =>
      celHolds('values.l.all(a, values.l.all(b, values.l.all(c, values.l.all(d, true))))', 'render', { values: { l } }),
    ).toThrow('takes longer than 50 ms');
    expect(() => celHolds(`"${'a'.repeat(40)}!".matches("^(a+)+$")`, 'render', {})).toThrow('takes longer than 50 ms');
  });
});
