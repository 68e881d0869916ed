// Who may import whom: the house of docs/developer/house.md as rules.
const ours = '^(core|config|drivers|controller|hil-sim|console|bench|test)/'
export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'core-imports-nothing-of-ours',
      severity: 'error',
      from: { path: '^core/' },
      to: { path: ours, pathNot: '^core/' }
    },
    {
      name: 'config-imports-core',
      severity: 'error',
      from: { path: '^config/' },
      to: { path: ours, pathNot: '^(core|config)/' }
    },
    {
      name: 'drivers-import-core-and-drivers',
      severity: 'error',
      from: { path: '^drivers/' },
      to: { path: ours, pathNot: '^(core|drivers)/' }
    },
    {
      name: 'link-imports-core',
      severity: 'error',
      from: { path: '^drivers/link/' },
      to: { path: ours, pathNot: '^(core|drivers/link)/' }
    },
    {
      name: 'device-folders-are-apart',
      comment: 'a device knows the links and the contract of its own family, not another device',
      severity: 'error',
      from: { path: '^drivers/([^/]+)/([^/]+)/' },
      to: {
        path: '^drivers/([^/]+)/([^/]+)/',
        pathNot: ['^drivers/$1/$2/', '^drivers/link/', '^drivers/[^/]+/contract/']
      }
    },
    {
      name: 'decoders-are-pure',
      severity: 'error',
      from: { path: '^drivers/digitiser/[^/]+/decode\\.ts$' },
      to: { pathNot: ['^core/', '^drivers/digitiser/[^/]+/decode'] }
    },
    {
      name: 'columns-are-pure',
      comment: 'event, reconstruction and selection are functions over columns: no node: module, no device',
      severity: 'error',
      from: { path: '^controller/(event|reconstruction|selection)/' },
      to: { dependencyTypes: ['core', 'npm'] }
    },
    {
      name: 'columns-import-left-to-right',
      severity: 'error',
      from: { path: '^controller/(event|reconstruction|selection)/' },
      to: {
        path: '^(drivers|hil-sim|console|controller/(run|spill|trigger|slow-control|calibration|store|server|monitor)|controller/[^/]+\\.ts)'
      }
    },
    {
      name: 'control-plane-knows-families-only',
      severity: 'error',
      from: { path: '^controller/(run|spill|trigger|slow-control|calibration)/' },
      to: { path: '^drivers/(digitiser|trigger|hv|beam)/(?!contract/)[^/]+/' }
    },
    {
      name: 'twin-knows-no-driver',
      comment: 'both ends of a wire are written from the manual and meet at golden transcripts',
      severity: 'error',
      from: { path: '^hil-sim/' },
      to: { path: ours, pathNot: '^(core|config|hil-sim)/' }
    },
    {
      name: 'only-memory-and-tests-know-the-twin',
      severity: 'error',
      from: { path: '^(core|config|drivers|controller|console|bench)/', pathNot: '^controller/memory\\.ts$' },
      to: { path: '^hil-sim/' }
    },
    {
      name: 'console-knows-the-api-only',
      severity: 'error',
      from: { path: '^console/' },
      to: { path: ours, pathNot: '^console/' }
    }
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|build)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types']
    }
  }
}
