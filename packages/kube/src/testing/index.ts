export { type FakeApi, type SeenRequest, startFakeApi } from './fake-api.ts';
export { applyJsonPatch } from './json-patch.ts';
