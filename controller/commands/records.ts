import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ErrorCode, SpillwayError } from '../../core/errors.ts'
import { RUN_DATABASE_FILE, RunDatabase } from '../store/run-database.ts'
import { Exit, print, printJson, spillDocument, spillLine } from './output.ts'

/** What was recorded: read-only views of the run database of a data folder. */
function read<T>(folder: string, work: (database: RunDatabase) => T): T {
  if (!existsSync(join(folder, RUN_DATABASE_FILE)))
    throw new SpillwayError(ErrorCode.notFound, `no runs in ${folder}`, {
      hint: 'name the data folder with --data, or take a run first'
    })
  const database = RunDatabase.open(folder)
  try {
    return work(database)
  } finally {
    database.close()
  }
}

export async function runsCommand(folder: string, asJson: boolean): Promise<number> {
  const runs = read(folder, (database) => database.runs())
  if (asJson) await printJson({ runs })
  else {
    for (const run of runs) {
      const condition = run.condition.length === 0 ? 'good' : run.condition.join('+')
      print(
        `run ${String(run.number).padStart(5)}  ${run.startedUtc}  ${run.experiment}  ${run.spills} spills  ` +
          `${run.muonsOnTarget.toExponential(3)} muons on target  ${run.eventsBuilt} events  ` +
          `${run.endedUtc === null ? 'OPEN' : condition}${run.reason === '' ? '' : `  (${run.reason})`}`
      )
    }
    if (runs.length === 0) print('no runs yet')
  }
  return Exit.done
}

export async function spillsCommand(folder: string, run: number, asJson: boolean): Promise<number> {
  const { record, spills } = read(folder, (database) => ({
    record: database.run(run),
    spills: database.spills(run)
  }))
  if (asJson) await printJson({ run: record, spills: spills.map(spillDocument) })
  else for (const spill of spills) print(spillLine(spill))
  return Exit.done
}

export async function ledgerCommand(folder: string, run: number, asJson: boolean): Promise<number> {
  const spills = read(folder, (database) => {
    database.run(run)
    return database.spills(run)
  })
  if (asJson) {
    await printJson({
      run,
      closed: spills.every((spill) => spill.closed),
      spills: spills.map(({ spill, closed, sources }) => ({ number: spill, closed, sources }))
    })
    return Exit.done
  }
  const columns = [
    'sent',
    'received',
    'built',
    'partial',
    'late',
    'duplicate',
    'corrupt',
    'dropped',
    'lost'
  ] as const
  print(`spill  source${columns.map((column) => column.padStart(10)).join('')}  sums`)
  for (const spill of spills)
    for (const source of spill.sources)
      print(
        `${String(spill.spill).padStart(5)}  ${String(source.source).padStart(6)}` +
          columns.map((column) => String(source[column] ?? '?').padStart(10)).join('') +
          `  ${source.closed ? 'closed' : 'OPEN'}`
      )
  return Exit.done
}
