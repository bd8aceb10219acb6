package dcerpc

// The interfaces that ipcguard uses, with the specifications' names.
var (
	LSARPC       = syntax("12345778-1234-abcd-ef00-0123456789ab", 0, 0) // [MS-LSAD], [MS-LSAT]
	SAMR         = syntax("12345778-1234-abcd-ef00-0123456789ac", 1, 0) // [MS-SAMR]
	NETLOGON     = syntax("12345678-1234-abcd-ef00-01234567cffb", 1, 0) // [MS-NRPC]
	SRVSVC       = syntax("4b324fc8-1670-01d3-1278-5a47bf6ee188", 3, 0) // [MS-SRVS]
	WKSSVC       = syntax("6bffd098-a112-3610-9833-46c3f87e345a", 1, 0) // [MS-WKST]
	DSSETUP      = syntax("3919286a-b10c-11d0-9ba8-00c04fd92ef5", 0, 0) // [MS-DSSP]
	SPOOLSS      = syntax("12345678-1234-abcd-ef00-0123456789ab", 1, 0) // [MS-RPRN]
	SVCCTL       = syntax("367abb81-9844-35f1-ad32-98f038001003", 2, 0) // [MS-SCMR]
	WINREG       = syntax("338cd001-2244-31f1-aaaa-900038001003", 1, 0) // [MS-RRP]
	ATSVC        = syntax("1ff70682-0a51-30e8-076d-740be8cee98b", 1, 0) // [MS-TSCH] ATSvc
	TASKSCHED    = syntax("86d35949-83c9-4044-b424-db363231fd0c", 1, 0) // [MS-TSCH] ITaskSchedulerService
	BROWSER      = syntax("6bffd098-a112-3610-9833-012892020162", 0, 0) // [MS-BRWSA]
	NETDFS       = syntax("4fc742e0-4a10-11cf-8273-00aa004ae673", 3, 0) // [MS-DFSNM]
	EVENTLOG     = syntax("82273fdc-e32a-18c3-3f78-827929dc23ea", 0, 0) // [MS-EVEN]
	EPMAPPER     = syntax("e1af8308-5d1f-11c9-91a4-08002b14a0fa", 3, 0) // [MS-RPCE], [C706] appendix O
	INITSHUTDOWN = syntax("894de0c0-0d55-11d3-a322-00c04fa321a1", 1, 0) // [MS-RSP]
	PLUGPLAY     = syntax("8d9f4e40-a03d-11ce-8f69-08003e30051b", 1, 0)
	DRSUAPI      = syntax("e3514235-4b06-11d1-ab04-00c04fc2dcd2", 4, 0) // [MS-DRSR]
	BACKUPKEY    = syntax("3dde7c30-165d-11d1-ab8f-00805f14db40", 1, 0) // [MS-BKRP]
	EFSRPC       = syntax("df1941c5-fe89-4e79-bf10-463657acf44d", 1, 0) // [MS-EFSR] on \pipe\efsrpc
	EFSRPCLsa    = syntax("c681d488-d850-11d0-8c52-00c04fd90f7e", 1, 0) // [MS-EFSR] on \pipe\lsarpc
	FSRVP        = syntax("a8e0653c-2744-4389-a61d-7373df8b2292", 1, 0) // [MS-FSRVP]
	DNSSERVER    = syntax("50abc2a4-574d-40b3-9d66-ee4fd5fba076", 5, 0) // [MS-DNSP]
	MGMT         = syntax("afa8bd80-7d8a-11c9-bef4-08002b102989", 1, 0) // [C706] appendix Q
)
