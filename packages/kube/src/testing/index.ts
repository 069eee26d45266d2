export { type FakeApi, type SeenRequest, startFakeApi } from './fake-api.ts';
