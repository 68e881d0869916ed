import { loadExperiment } from '../../config/load.ts'
import { runVirtually } from '../../controller/memory.ts'
import type { FaultInput } from '../../hil-sim/fault/fault.ts'
import { faultSchema, EVENT_FAULTS, SPILL_FAULTS, MACHINE_FAULTS } from '../../hil-sim/fault/fault.ts'
const experiment = loadExperiment('na64mu-2022')
const run = (faults: FaultInput[], spills = 6) => runVirtually({ experiment, seed: 7, cycle: 'fast', spills, scenario: { about: 'x', beam: { muonsPerSpill: 20e3, intensitySpread: 0 }, faults: faults.map((f) => faultSchema.parse(f)) } })
const ref = await run([])
console.log(ref.spills.map((s) => s.eventsBuilt))
const last = (spill: number) => ref.spills[spill - 1]!.eventsBuilt
const device = process.argv[3] ?? 'msadc-ecal'
const kinds = process.argv[2] ? process.argv[2].split(',') : [...EVENT_FAULTS, ...SPILL_FAULTS, ...MACHINE_FAULTS]
for (const kind of kinds) {
  const t = process.hrtime.bigint()
  const m = (MACHINE_FAULTS as readonly string[]).includes(kind)
  const f = (spill: number, event: number): FaultInput => ({ ...(m ? {} : { device }), kind, at: { spill, event } })
  try {
  const r = await run([f(1, 1), f(3, 96), f(5, last(5))])
  console.log(`\n== ${kind}: ${r.state} ${r.status} ${r.runs[0]?.condition} ${Number(process.hrtime.bigint() - t) / 1e6} ms`)
  for (const s of r.spills) {
    const ref_ = ref.spills[s.spill - 1]!
    const same = JSON.stringify({...s, utc: 0}) === JSON.stringify({...ref_, utc: 0}) ? ' SAME' : ''
    console.log(` ${s.spill} [${s.condition}] b ${s.eventsBuilt} p ${s.eventsPartial} sel ${s.eventsSelected} mot ${s.muonsOnTarget} closed ${s.closed}${same}`)
    if (!same) {
    for (const x of s.sources) if (x.received !== x.sent || Object.keys(x.faults).length || !x.closed || x.partial) console.log(`    ${x.source} s${x.sent} r${x.received} b${x.built} p${x.partial} late${x.late} d${x.duplicate} c${x.corrupt} dr${x.dropped} lost${x.lost} ${x.closed} ${JSON.stringify(x.faults)}`)
    console.log('    ', s.reasons.join(' | ')) }
  }
  } catch (e) { console.log(kind, 'THROWS', e) }
}
