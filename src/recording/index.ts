/** Recordings of what tools answer: a test suite without network or money, a training without tools. */

export type {
  Approximation,
  RecordedAnswer,
  RecordedValue,
  Recording,
  RecordingMode,
} from '../recorded-tools.js';
export { type NearestCall, NotRecordedError } from './not-recorded-error.js';
export { recording, type ToolRecording } from './recording.js';
export type { AnsweredCall, ApproximateOptions, RecordingOptions } from './recording-options.js';
