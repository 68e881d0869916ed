/** What a driver may say. pino's loggers fit; fields first, then a short sentence. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  /** data are affected */
  warn(fields: object, message: string): void
  /** somebody must act */
  error(fields: object, message: string): void
}

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined
}
