/** No command has more letters; what is longer is none. */
const COMMAND_MAX = 16
const CARRIAGE_RETURN = 0x0d
const LINE_FEED = 0x0a

/**
 * What the teslameter makes of the bytes that it hears: a command of letters is carried out as soon as it is complete, the
 * CR behind it does nothing, and anything else up to a CR is an invalid entry.
 */
export function makeConversation(
  answers: Readonly<Record<string, () => string>>,
  say: (text: string) => void
): (bytes: Uint8Array) => void {
  let entry = ''
  return (bytes) => {
    for (const byte of bytes) {
      if (byte === CARRIAGE_RETURN || byte === LINE_FEED) {
        if (entry !== '') say(' INVALID COMMAND ENTRY\r\n')
        entry = ''
        continue
      }
      if (entry.length < COMMAND_MAX) entry += String.fromCharCode(byte & 0x7f)
      const answer = Object.hasOwn(answers, entry) ? answers[entry] : undefined
      if (answer === undefined) continue
      entry = ''
      say(` ${answer()}\r\n`)
    }
  }
}
