import { BundleError } from '@shoto/bundle';
import { expect, it } from 'vitest';
import { told } from './registry.ts';

it('tells each problem of a bundle in a line of its own, as a whole', async () => {
  const problems = [
    { file: 'a.yaml', line: 3, column: 1, message: 'is too long; 8 is the most' },
    { file: 'b.yaml', path: 'kind', message: 'is missing' },
  ];
  await expect(told(Promise.reject(new BundleError('InvalidManifest', problems)))).rejects.toThrow(
    'InvalidManifest\n  a.yaml:3:1: is too long; 8 is the most\n  b.yaml: kind: is missing',
  );
});
