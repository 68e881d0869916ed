/** Registers of a temperature module (docs/hardware/temperature-module.md), as pure functions of words and settings. */

export const WORD_ORDERS = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const
export type WordOrder = (typeof WORD_ORDERS)[number]

export interface TemperatureChannel {
  readonly name: string
  readonly table: 'holding' | 'input'
  /** of the first register, from 0 */
  readonly register: number
  readonly format: 'int16' | 'uint16' | 'float32'
  /** of a float32: bytes A (highest) to D as they come */
  readonly wordOrder: WordOrder
  readonly degCPerCount: number
  readonly offsetDegC: number
  /** words that mean: no sensor */
  readonly brokenWords: readonly number[]
}

/** One request: registers side by side, and the channels that live in them. */
export interface ReadBlock {
  readonly table: 'holding' | 'input'
  readonly register: number
  readonly count: number
  readonly channels: readonly TemperatureChannel[]
}

/** Modbus application protocol 1.1b3, 6.3 */
const READ_MAX = 125

export function wordsOf({ format }: Pick<TemperatureChannel, 'format'>): 1 | 2 {
  return format === 'float32' ? 2 : 1
}

/** As few requests as read nothing that is not asked for: a module may refuse registers that it has not. */
export function readBlocks(channels: readonly TemperatureChannel[]): ReadBlock[] {
  const blocks: {
    table: 'holding' | 'input'
    register: number
    count: number
    channels: TemperatureChannel[]
  }[] = []
  const sorted = [...channels].sort((a, b) => a.table.localeCompare(b.table) || a.register - b.register)
  for (const channel of sorted) {
    const block = blocks.at(-1)
    const end = channel.register + wordsOf(channel)
    const isNext =
      block?.table === channel.table &&
      block.register + block.count >= channel.register &&
      end - block.register <= READ_MAX
    if (isNext) {
      block.count = Math.max(block.count, end - block.register)
      block.channels.push(channel)
    } else
      blocks.push({
        table: channel.table,
        register: channel.register,
        count: wordsOf(channel),
        channels: [channel]
      })
  }
  return blocks
}

/** degC; undefined: no sensor. @param words the registers of the channel */
export function decodeTemperature(channel: TemperatureChannel, words: readonly number[]): number | undefined {
  const [first = 0, second = 0] = words
  if (channel.format === 'float32') {
    const value = decodeFloat(first, second, channel.wordOrder)
    return Number.isFinite(value) ? value * channel.degCPerCount + channel.offsetDegC : undefined
  }
  if (channel.brokenWords.includes(first)) return undefined
  const counts = channel.format === 'int16' ? (first << 16) >> 16 : first
  return counts * channel.degCPerCount + channel.offsetDegC
}

export function decodeFloat(first: number, second: number, order: WordOrder): number {
  const came = [first >>> 8, first & 0xff, second >>> 8, second & 0xff]
  const bytes = new DataView(new ArrayBuffer(4))
  came.forEach((byte, i) => bytes.setUint8('ABCD'.indexOf(order[i]!), byte))
  return bytes.getFloat32(0)
}
