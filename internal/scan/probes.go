package scan

// probes maps each interface of the catalog that may be called to its questions.
var probes = map[string]probe{
	"lsarpc":         probeLSA,
	"samr":           probeSAMR,
	"srvsvc":         probeServer,
	"wkssvc":         probeWorkstation,
	"netlogon":       probeNetlogon,
	"dssetup":        probeDSSetup,
	"spoolss":        probeSpooler,
	"svcctl":         probeServices,
	"winreg":         probeRegistry,
	"eventlog":       probeEventlog,
	"atsvc":          probeJobs,
	"itaskscheduler": probeTasks,
	"netdfs":         probeDFS,
	"epmapper":       probeEndpoints,
	"mgmt":           probeManagement,
	"plugplay":       probePlugPlay,
	"fssagentrpc":    probeShadowCopies,
}
