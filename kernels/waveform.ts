/*
 * The waveform stage (controller/reconstruction/waveform/waveform-reference.ts has the formulae and must be equal
 * bit for bit) over all hits of a block, called once per block. Works on the columns in place, by byte offsets in
 * the shared memory; keeps nothing of its own in memory, so that any number of threads may run it.
 *
 * Eight samples a step: the even ones are the low halves of four 32-bit lanes, the odd ones the high halves. Hits
 * start at multiples of 8 samples, and what fills the last eight is 0: it never exceeds the largest y, and adds
 * nothing to the integer sums. pmin and pmax are one instruction each, where min and max also look for NaN.
 */

// bits of HitStatus in core/block.ts
const SATURATED: u32 = 1 << 1
const PILE_UP: u32 = 1 << 2
const PEDESTAL_NOISY: u32 = 1 << 3
const EMPTY: u32 = 1 << 7
const CLEARED: u32 = ~(SATURATED | PILE_UP | PEDESTAL_NOISY | EMPTY)

/** y of sample i */
function at(from: usize, i: i32, pedestalEven: f32, pedestalOdd: f32): f32 {
  return <f32>load<u16>(from + ((<usize>i) << 1)) - ((i & 1) === 0 ? pedestalEven : pedestalOdd)
}

/** y of samples i .. i + 3, i a multiple of 4, in their order */
function fourAt(from: usize, i: i32, pedestals: v128): v128 {
  return f32x4.sub(f32x4.convert_i32x4_s(v128.load16x4_u(from + ((<usize>i) << 1))), pedestals)
}

function larger(a: f32, b: f32): f32 {
  return a < b ? b : a
}

function largestOf(v: v128): f32 {
  return larger(
    larger(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    larger(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3))
  )
}

function sumOf(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) + i32x4.extract_lane(v, 1) + i32x4.extract_lane(v, 2) + i32x4.extract_lane(v, 3)
  )
}

const LANES = i32x4(0, 1, 2, 3)

export function waveform(
  count: i32,
  samples: usize,
  sampleBegin: usize,
  sampleCount: usize,
  hitStatus: usize,
  pedestalEvens: usize,
  pedestalOdds: usize,
  amplitudes: usize,
  times: usize,
  integrals: usize,
  pedestalSamples: i32,
  pedestalNoise: f32,
  threshold: f32,
  fraction: f32,
  saturation: i32,
  pileUpRise: f32,
  period: f32
): void {
  const low = i32x4.splat(0xffff)
  for (let hit: usize = 0; hit < <usize>count; hit++) {
    const from = samples + ((<usize>load<u32>(sampleBegin + (hit << 2))) << 1)
    const n = <i32>load<u16>(sampleCount + (hit << 1))
    let status = (<u32>load<u16>(hitStatus + (hit << 1))) & CLEARED
    let pedestalEven: f32 = 0
    let pedestalOdd: f32 = 0
    let amplitude: f32 = 0
    let time: f32 = 0
    let integral: f32 = 0
    const p = min<i32>(pedestalSamples, n & ~1)
    if (p === 0) status |= EMPTY
    else {
      let pedestalSumEven = 0
      let pedestalSumOdd = 0
      let lowEven = 65535
      let lowOdd = 65535
      let highEven = 0
      let highOdd = 0
      for (let i = 0; i < p; i += 2) {
        const pair = load<u32>(from + ((<usize>i) << 1))
        const even = <i32>(pair & 0xffff)
        const odd = <i32>(pair >>> 16)
        pedestalSumEven += even
        pedestalSumOdd += odd
        lowEven = min<i32>(lowEven, even)
        highEven = max<i32>(highEven, even)
        lowOdd = min<i32>(lowOdd, odd)
        highOdd = max<i32>(highOdd, odd)
      }
      const half = <f32>(p >>> 1)
      pedestalEven = <f32>pedestalSumEven / half
      pedestalOdd = <f32>pedestalSumOdd / half
      if (<f32>max<i32>(highEven - lowEven, highOdd - lowOdd) > pedestalNoise) status |= PEDESTAL_NOISY

      const pedestalsEven = f32x4.splat(pedestalEven)
      const pedestalsOdd = f32x4.splat(pedestalOdd)
      const end = from + ((<usize>n) << 1)
      let largest = i16x8.splat(0)
      let sumEven = i32x4.splat(0)
      let sumOdd = i32x4.splat(0)
      let highest = f32x4.splat(-Infinity)
      for (let eight = from; eight < end; eight += 16) {
        const v = v128.load(eight)
        const even = v128.and(v, low)
        const odd = i32x4.shr_u(v, 16)
        largest = i16x8.max_u(largest, v)
        sumEven = i32x4.add(sumEven, even)
        sumOdd = i32x4.add(sumOdd, odd)
        highest = f32x4.pmax(highest, f32x4.sub(f32x4.convert_i32x4_s(even), pedestalsEven))
        highest = f32x4.pmax(highest, f32x4.sub(f32x4.convert_i32x4_s(odd), pedestalsOdd))
      }
      amplitude = largestOf(highest)
      if (v128.any_true(i16x8.ge_u(largest, i16x8.splat(<i16>saturation)))) status |= SATURATED
      integral =
        <f32>sumOf(sumEven) -
        pedestalEven * <f32>((n + 1) >>> 1) +
        (<f32>sumOf(sumOdd) - pedestalOdd * <f32>(n >>> 1))

      if (amplitude < threshold) status |= EMPTY
      else {
        const wanted = f32x4.splat(amplitude)
        let peak = 0
        for (let eight = from; eight < end; eight += 16) {
          const v = v128.load(eight)
          const yEven = f32x4.sub(f32x4.convert_i32x4_s(v128.and(v, low)), pedestalsEven)
          const yOdd = f32x4.sub(f32x4.convert_i32x4_s(i32x4.shr_u(v, 16)), pedestalsOdd)
          const isEven = i32x4.bitmask(f32x4.eq(yEven, wanted))
          const isOdd = i32x4.bitmask(f32x4.eq(yOdd, wanted))
          if ((isEven | isOdd) !== 0) {
            // ctz(0) is 32: far behind any sample
            peak = ((<i32>(eight - from)) >> 1) + min<i32>(ctz(isEven) << 1, (ctz(isOdd) << 1) + 1)
            break
          }
        }

        const level = fraction * amplitude
        const pedestals = f32x4.replace_lane(
          f32x4.replace_lane(pedestalsEven, 1, pedestalOdd),
          3,
          pedestalOdd
        )
        const peaks = i32x4.splat(peak)
        const levels = f32x4.splat(level)
        const infinite = f32x4.splat(Infinity)
        // Away from the peak, four samples a step: the smallest y so far by two shifts. What is not on this side
        // of the peak is set to the amplitude, which changes no minimum.
        let below = -1
        let valley = wanted
        let rises = f32x4.splat(0)
        for (let i = (peak - 1) & ~3; i >= 0; i -= 4) {
          const isOutside = i32x4.ge_s(i32x4.add(i32x4.splat(i), LANES), peaks)
          const y = v128.bitselect(wanted, fourAt(from, i, pedestals), isOutside)
          let least = f32x4.pmin(y, v128.shuffle<f32>(y, infinite, 1, 2, 3, 4))
          least = f32x4.pmin(least, v128.shuffle<f32>(least, infinite, 2, 3, 4, 5))
          least = f32x4.pmin(least, valley)
          rises = f32x4.pmax(rises, f32x4.sub(y, least))
          valley = f32x4.splat(f32x4.extract_lane(least, 0))
          if (below < 0) {
            const isBelow = i32x4.bitmask(f32x4.lt(y, levels))
            if (isBelow !== 0) below = i + 31 - clz(isBelow)
          }
        }
        valley = wanted
        let i = (peak + 1) & ~3
        for (; i + 4 <= n; i += 4) {
          const isOutside = i32x4.le_s(i32x4.add(i32x4.splat(i), LANES), peaks)
          const y = v128.bitselect(wanted, fourAt(from, i, pedestals), isOutside)
          let least = f32x4.pmin(y, v128.shuffle<f32>(infinite, y, 3, 4, 5, 6))
          least = f32x4.pmin(least, v128.shuffle<f32>(infinite, least, 2, 3, 4, 5))
          least = f32x4.pmin(least, valley)
          rises = f32x4.pmax(rises, f32x4.sub(y, least))
          valley = f32x4.splat(f32x4.extract_lane(least, 3))
        }
        let rise = largestOf(rises)
        let lowest = f32x4.extract_lane(valley, 0)
        for (i = i > peak ? i : peak + 1; i < n; i++) {
          const y = at(from, i, pedestalEven, pedestalOdd)
          if (y < lowest) lowest = y
          rise = larger(rise, y - lowest)
        }
        if (below >= 0) {
          const y = at(from, below, pedestalEven, pedestalOdd)
          const above = at(from, below + 1, pedestalEven, pedestalOdd)
          time = (<f32>below + (level - y) / (above - y)) * period
        }
        if (rise > pileUpRise) status |= PILE_UP
      }
    }
    store<u16>(hitStatus + (hit << 1), <u16>status)
    store<f32>(pedestalEvens + (hit << 2), pedestalEven)
    store<f32>(pedestalOdds + (hit << 2), pedestalOdd)
    store<f32>(amplitudes + (hit << 2), amplitude)
    store<f32>(times + (hit << 2), time)
    store<f32>(integrals + (hit << 2), integral)
  }
}
