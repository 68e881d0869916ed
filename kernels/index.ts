export { waveform } from './waveform'
