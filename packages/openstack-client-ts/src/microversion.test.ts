import { describe, expect, it } from 'vitest';
import { chooseMicroversion, compareMicroversions, readVersionDocument } from './microversion.ts';

it('microversions are ordered by number, not by letter', () => {
  expect(['2.100', '2.9', '3.1', '2.10'].sort(compareMicroversions)).toEqual(['2.9', '2.10', '2.100', '3.1']);
  expect(() => compareMicroversions('latest', '2.1')).toThrow("microversion 'latest' is not of the form 2.79");
});

describe('the choice', () => {
  const wish = { service: 'compute', known: '2.96', offered: { min: '2.1', max: '2.93' } } as const;

  it('is the newest that both sides know', () => {
    expect(chooseMicroversion(wish)).toBe('2.93');
    expect(chooseMicroversion({ ...wish, known: '2.9' })).toBe('2.9');
  });

  it('is the pinned one if it is offered and enough', () => {
    expect(chooseMicroversion({ ...wish, pinned: '2.60', minimum: '2.60' })).toBe('2.60');
    expect(() => chooseMicroversion({ ...wish, pinned: '2.60', minimum: '2.64', what: 'x' })).toThrow(
      'compute: x needs microversion 2.64 or later; 2.60 was asked for',
    );
  });

  it('fails when the service has left the known ones behind', () => {
    expect(() => chooseMicroversion({ ...wish, offered: { min: '2.97', max: '2.99' } })).toThrow(
      /offers none before 2.97/,
    );
  });

  it('is none for a service without microversions, unless one is needed', () => {
    const none = { ...wish, offered: { min: undefined, max: undefined } };
    expect(chooseMicroversion(none)).toBeUndefined();
    expect(() => chooseMicroversion({ ...none, minimum: '2.26' })).toThrow(/offers none/);
  });
});

describe('version documents', () => {
  it.each([
    ['Nova', { version: { id: 'v2.1', version: '2.93', min_version: '2.1' } }, 'v2.1', '2.1', '2.93'],
    ['Cinder', { versions: [{ id: 'v3.0', version: '3.70', min_version: '3.0' }] }, 'v3', '3.0', '3.70'],
    ['Placement', { versions: [{ id: 'v1.0', max_version: '1.39', min_version: '1.0' }] }, undefined, '1.0', '1.39'],
    [
      'a root with several',
      {
        versions: [
          { id: 'v2.0', version: '', min_version: '' },
          { id: 'v2.1', version: '2.79', min_version: '2.1' },
        ],
      },
      'v2.1',
      '2.1',
      '2.79',
    ],
    ['one without any', { version: { id: 'v2.0', status: 'CURRENT' } }, 'v2.0', undefined, undefined],
    ['no document', 'hello', 'v2.1', undefined, undefined],
  ])('of %s are read', (_, document, major, min, max) => {
    expect(readVersionDocument(document, major)).toEqual({ min, max });
  });
});
