import fc from 'fast-check';
import { SERVICES, type ServiceName } from './services.ts';
import type { Hurt } from './truth.ts';

/** Something that people, machines, the cloud or the host do. Numbers that choose wrap around what there is. */
export type Action =
  | { do: 'scalePool'; pool: number; count: number }
  | { do: 'scaleControlPlane'; count: 1 | 3 }
  | { do: 'addPool'; count: number; rootVolume: boolean }
  | { do: 'removePool' }
  | { do: 'upgrade' }
  | { do: 'reaim'; release: number }
  | { do: 'window'; startsInMinutes: number; durationMinutes: number }
  | { do: 'noWindow' }
  | { do: 'keep'; machine: number; minutes: number }
  | { do: 'unkeep' }
  | { do: 'flavor'; pool: number; flavor: string }
  | { do: 'surge'; maxSurge: number; maxUnavailable: number }
  | { do: 'hurt'; how: Hurt; machine: number }
  | { do: 'cloudFault'; fault: CloudFault; service: 'nova' | 'neutron' | 'octavia'; seconds: number }
  | { do: 'managementFault'; fault: 'slow' | 'error' | 'reset'; seconds: number }
  | { do: 'kill'; service: ServiceName }
  | { do: 'flush' }
  | { do: 'pause'; seconds: number }
  | { do: 'stopFleet'; seconds: number }
  | { do: 'wait'; seconds: number };

export type CloudFault = '500' | '409' | '429' | 'lostAnswer' | 'lateDeed' | 'hang' | 'serverError';

const seconds = (max: number) => fc.integer({ min: 1, max });

/** One action; what changes machines comes most often, and time passes in between. */
export const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('scalePool' as const),
      pool: fc.nat(2),
      count: fc.integer({ min: 0, max: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('scaleControlPlane' as const),
      count: fc.constantFrom(1 as const, 3 as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('addPool' as const),
      count: fc.integer({ min: 0, max: 3 }),
      rootVolume: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('removePool' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('upgrade' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reaim' as const), release: fc.nat(2) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('window' as const),
      startsInMinutes: fc.integer({ min: -60, max: 60 }),
      durationMinutes: fc.integer({ min: 30, max: 120 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('noWindow' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('keep' as const),
      machine: fc.nat(20),
      minutes: fc.integer({ min: 1, max: 30 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unkeep' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('flavor' as const),
      pool: fc.nat(3),
      flavor: fc.constantFrom('m1.small', 'm1.medium', 'm1.large'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('surge' as const), maxSurge: fc.nat(2), maxUnavailable: fc.nat(1) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('hurt' as const),
      how: fc.constantFrom('die' as const, 'silent' as const, 'off' as const),
      machine: fc.nat(20),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('cloudFault' as const),
      fault: fc.constantFrom(
        '500' as const,
        '409' as const,
        '429' as const,
        'lostAnswer' as const,
        'lateDeed' as const,
        'hang' as const,
        'serverError' as const,
      ),
      service: fc.constantFrom('nova' as const, 'neutron' as const, 'octavia' as const),
      seconds: seconds(300),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('managementFault' as const),
      fault: fc.constantFrom('slow' as const, 'error' as const, 'reset' as const),
      seconds: seconds(120),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('kill' as const), service: fc.constantFrom(...SERVICES) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('flush' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pause' as const), seconds: seconds(300) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('stopFleet' as const), seconds: seconds(300) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: seconds(400) }) },
);
