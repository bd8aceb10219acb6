package dcerpc

// layout is the argument list of a call in one direction.
type layout struct {
	iface   string
	opnum   uint16
	request func() Message
	answer  func() Message
}

func of[T any, P interface {
	*T
	Message
}]() func() Message {
	return func() Message { return P(new(T)) }
}

// layouts lists every call with an encoder. All others have only a name.
var layouts = []layout{
	{"lsarpc", OpLsarClose, of[HandleRequest](), of[NTHandleResponse]()},
	{"lsarpc", OpLsarQuerySecurityObject, of[LsarQuerySecurityRequest](), of[LsarQuerySecurityResponse]()},
	{"lsarpc", OpLsarOpenPolicy, of[LsarOpenPolicyRequest](), of[NTHandleResponse]()},
	{"lsarpc", OpLsarQueryInformationPolicy, of[LsarQueryPolicyRequest](), of[LsarQueryPolicyResponse]()},
	{"lsarpc", OpLsarEnumerateAccounts, of[LsarEnumerateRequest](), of[LsarEnumerateAccountsResponse]()},
	{"lsarpc", OpLsarEnumerateTrustedDomains, of[LsarEnumerateRequest](), of[LsarEnumerateTrustedDomainsResponse]()},
	{"lsarpc", OpLsarLookupNames, of[LsarLookupNamesRequest](), of[LsarLookupNamesResponse]()},
	{"lsarpc", OpLsarLookupSids, of[LsarLookupSidsRequest](), of[LsarLookupSidsResponse]()},
	{"lsarpc", OpLsarOpenPolicy2, of[LsarOpenPolicy2Request](), of[NTHandleResponse]()},
	{"lsarpc", OpLsarGetUserName, of[LsarGetUserNameRequest](), of[LsarGetUserNameResponse]()},
	{"lsarpc", OpLsarQueryInformationPolicy2, of[LsarQueryPolicyRequest](), of[LsarQueryPolicyResponse]()},
	{"lsarpc", OpLsarEnumerateTrustedDomainsEx, of[LsarEnumerateRequest](), of[LsarEnumerateTrustsResponse]()},
	{"lsarpc", OpLsarLookupSids2, of[LsarLookupSids2Request](), of[LsarLookupSids2Response]()},
	{"lsarpc", OpLsarLookupNames2, of[LsarLookupNames2Request](), of[LsarLookupNames2Response]()},
	{"samr", OpSamrConnect, of[SamrConnectRequest](), of[NTHandleResponse]()},
	{"samr", OpSamrCloseHandle, of[HandleRequest](), of[NTHandleResponse]()},
	{"samr", OpSamrLookupDomain, of[SamrLookupDomainRequest](), of[SamrLookupDomainResponse]()},
	{"samr", OpSamrEnumerateDomains, of[SamrEnumerateRequest](), of[SamrEnumerateResponse]()},
	{"samr", OpSamrOpenDomain, of[SamrOpenDomainRequest](), of[NTHandleResponse]()},
	{"samr", OpSamrQueryInformationDomain, of[SamrQueryDomainRequest](), of[SamrQueryDomainResponse]()},
	{"samr", OpSamrEnumerateGroups, of[SamrEnumerateRequest](), of[SamrEnumerateResponse]()},
	{"samr", OpSamrEnumerateUsers, of[SamrEnumerateUsersRequest](), of[SamrEnumerateResponse]()},
	{"samr", OpSamrEnumerateAliases, of[SamrEnumerateRequest](), of[SamrEnumerateResponse]()},
	{"samr", OpSamrOpenUser, of[SamrOpenUserRequest](), of[NTHandleResponse]()},
	{"samr", OpSamrQueryInformationUser, of[SamrQueryUserRequest](), of[SamrQueryUserResponse]()},
	{"samr", OpSamrQueryDisplayInformation, of[SamrQueryDisplayRequest](), of[SamrQueryDisplayResponse]()},
	{"samr", OpSamrQueryInformationDomain2, of[SamrQueryDomainRequest](), of[SamrQueryDomainResponse]()},
	{"samr", OpSamrQueryInformationUser2, of[SamrQueryUserRequest](), of[SamrQueryUserResponse]()},
	{"samr", OpSamrQueryDisplayInformation2, of[SamrQueryDisplayRequest](), of[SamrQueryDisplayResponse]()},
	{"samr", OpSamrQueryDisplayInformation3, of[SamrQueryDisplayRequest](), of[SamrQueryDisplayResponse]()},
	{
		"samr", OpSamrGetDomainPasswordInformation, of[SamrGetDomainPasswordRequest](),
		of[SamrGetDomainPasswordResponse](),
	},
	{"samr", OpSamrConnect2, of[SamrConnect2Request](), of[NTHandleResponse]()},
	{"samr", OpSamrConnect4, of[SamrConnect4Request](), of[NTHandleResponse]()},
	{"samr", OpSamrConnect5, of[SamrConnect5Request](), of[SamrConnect5Response]()},
	{"netlogon", OpDsrGetDcName, of[DsrGetDcNameRequest](), of[DsrGetDcNameResponse]()},
	{"netlogon", OpDsrGetDcNameEx, of[DsrGetDcNameExRequest](), of[DsrGetDcNameResponse]()},
	{"netlogon", OpDsrGetSiteName, of[ServerNameRequest](), of[DsrGetSiteNameResponse]()},
	{"netlogon", OpDsrGetDcNameEx2, of[DsrGetDcNameEx2Request](), of[DsrGetDcNameResponse]()},
	{"netlogon", OpNetrEnumerateTrustedDomainsEx, of[ServerNameRequest](), of[DomainTrustsResponse]()},
	{"netlogon", OpDsrEnumerateDomainTrusts, of[DsrEnumerateDomainTrustsRequest](), of[DomainTrustsResponse]()},
	{"srvsvc", OpNetrSessionEnum, of[NetrSessionEnumRequest](), of[NetrSessionEnumResponse]()},
	{"srvsvc", OpNetrShareEnum, of[NetrShareEnumRequest](), of[NetrShareEnumResponse]()},
	{"srvsvc", OpNetrShareGetInfo, of[NetrShareGetInfoRequest](), of[NetrShareGetInfoResponse]()},
	{"srvsvc", OpNetrServerGetInfo, of[LevelRequest](), of[NetrServerGetInfoResponse]()},
	{"srvsvc", OpNetrRemoteTOD, of[ServerNameRequest](), of[NetrRemoteTODResponse]()},
	{"wkssvc", OpNetrWkstaGetInfo, of[LevelRequest](), of[NetrWkstaGetInfoResponse]()},
	{"wkssvc", OpNetrWkstaUserEnum, of[NetrWkstaUserEnumRequest](), of[NetrWkstaUserEnumResponse]()},
	{"wkssvc", OpNetrWkstaTransportEnum, of[NetrWkstaTransportEnumRequest](), of[NetrWkstaTransportEnumResponse]()},
	{"wkssvc", OpNetrGetJoinInformation, of[NetrGetJoinInformationRequest](), of[NetrGetJoinInformationResponse]()},
	{"dssetup", OpDsRolerGetPrimaryDomainInformation, of[DsRolerRequest](), of[DsRolerResponse]()},
	{"spoolss", OpRpcEnumPrinters, of[RpcEnumPrintersRequest](), of[RpcEnumPrintersResponse]()},
	{"spoolss", OpRpcClosePrinter, of[HandleRequest](), of[WHandleResponse]()},
	{"spoolss", OpRpcOpenPrinterEx, of[RpcOpenPrinterExRequest](), of[WHandleResponse]()},
	{"svcctl", OpRCloseServiceHandle, of[HandleRequest](), of[WHandleResponse]()},
	{"svcctl", OpREnumServicesStatusW, of[REnumServicesStatusWRequest](), of[REnumServicesStatusWResponse]()},
	{"svcctl", OpROpenSCManagerW, of[ROpenSCManagerWRequest](), of[WHandleResponse]()},
	{"winreg", OpOpenLocalMachine, of[OpenRootRequest](), of[WHandleResponse]()},
	{"winreg", OpBaseRegCloseKey, of[HandleRequest](), of[WHandleResponse]()},
	{"winreg", OpBaseRegCreateKey, of[BaseRegCreateKeyRequest](), of[BaseRegCreateKeyResponse]()},
	{"winreg", OpBaseRegDeleteKey, of[BaseRegNameRequest](), of[WStatusResponse]()},
	{"winreg", OpBaseRegDeleteValue, of[BaseRegNameRequest](), of[WStatusResponse]()},
	{"winreg", OpBaseRegEnumKey, of[BaseRegEnumKeyRequest](), of[BaseRegEnumKeyResponse]()},
	{"winreg", OpBaseRegEnumValue, of[BaseRegEnumValueRequest](), of[BaseRegEnumValueResponse]()},
	{"winreg", OpBaseRegFlushKey, of[HandleRequest](), of[WStatusResponse]()},
	{"winreg", OpBaseRegGetKeySecurity, of[BaseRegGetKeySecurityRequest](), of[BaseRegGetKeySecurityResponse]()},
	{"winreg", OpBaseRegOpenKey, of[BaseRegOpenKeyRequest](), of[WHandleResponse]()},
	{"winreg", OpBaseRegQueryInfoKey, of[BaseRegQueryInfoKeyRequest](), of[BaseRegQueryInfoKeyResponse]()},
	{"winreg", OpBaseRegQueryValue, of[BaseRegQueryValueRequest](), of[BaseRegQueryValueResponse]()},
	{"winreg", OpBaseRegSetValue, of[BaseRegSetValueRequest](), of[WStatusResponse]()},
	{"winreg", OpBaseRegGetVersion, of[HandleRequest](), of[BaseRegGetVersionResponse]()},
	{"atsvc", OpNetrJobEnum, of[NetrJobEnumRequest](), of[NetrJobEnumResponse]()},
	{"ITaskSchedulerService", OpSchRpcHighestVersion, of[NoArguments](), of[SchRpcHighestVersionResponse]()},
	{"netdfs", OpNetrDfsManagerGetVersion, of[NoArguments](), of[NetrDfsManagerGetVersionResponse]()},
	{"eventlog", OpElfrCloseEL, of[HandleRequest](), of[NTHandleResponse]()},
	{"eventlog", OpElfrNumberOfRecords, of[HandleRequest](), of[ElfrNumberOfRecordsResponse]()},
	{"eventlog", OpElfrOpenELW, of[ElfrOpenELWRequest](), of[NTHandleResponse]()},
	{"epmapper", OpEptLookup, of[EptLookupRequest](), of[EptLookupResponse]()},
	{"mgmt", OpInqIfIDs, of[NoArguments](), of[InqIfIDsResponse]()},
	{"plugplay", OpPNPGetVersion, of[NoArguments](), of[PNPGetVersionResponse]()},
	{"FileServerVssAgent", OpGetSupportedVersion, of[NoArguments](), of[GetSupportedVersionResponse]()},
}

func findLayout(iface string, opnum uint16) *layout {
	for i := range layouts {
		if layouts[i].iface == iface && layouts[i].opnum == opnum {
			return &layouts[i]
		}
	}
	return nil
}
