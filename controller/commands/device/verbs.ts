/** What the bench tool can do; apart from it, so that the command line knows the words without loading the work. */
export const DEVICE_VERBS = ['identity', 'signals', 'read', 'set', 'watch', 'frames'] as const
export type DeviceVerb = (typeof DEVICE_VERBS)[number]
