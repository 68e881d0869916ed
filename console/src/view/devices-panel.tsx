import { deviceAction, deviceSeverity, orderDevices } from '../logic/attention.ts'
import { clockText } from '../logic/time.ts'
import { devices, run } from '../state/store.ts'
import { LinkMark, SeverityMark } from './marks.tsx'
import { Tile } from './tiles.tsx'

/** Every device; lost ones first, with what to do. */
export function DevicesPanel() {
  const state = run.value?.state ?? 'idle'
  return (
    <Tile name="Devices" class="devices">
      <ul class="scroll" tabIndex={0} aria-label="Devices, lost ones first">
        {orderDevices(devices.value, state).map((device) => {
          const severity = deviceSeverity(device, state)
          return (
            <li key={device.id} class={`${device.state} ${severity === undefined ? '' : 'lost'}`}>
              {severity === undefined ? (
                <LinkMark state={device.state} />
              ) : (
                <SeverityMark severity={severity} />
              )}
              <span class="device-name">{device.id}</span>
              <span class="muted device-state">
                {device.state}, {device.role}
              </span>
              <span class="device-text" title={device.text}>
                {device.text}
              </span>
              {severity !== undefined && (
                <span class="device-action">
                  {deviceAction(device)}
                  {device.lastSeen === null ? '' : ` Last seen ${clockText(device.lastSeen)}.`}
                </span>
              )}
            </li>
          )
        })}
      </ul>
    </Tile>
  )
}
