package status

// Answer is the meaning of a status as the answer to a request, for code that judges servers by their responses.
type Answer uint8

// The answers. Unsettled is every status that is not known to mean one of the others.
const (
	Unsettled Answer = iota
	Yes              // succeeded
	No               // refused: the caller has no access
	NotHere          // no such object, or no such call
	Nothing          // succeeded without data
)

// Answer classifies an NTSTATUS.
func (s NTStatus) Answer() Answer {
	switch s {
	case AccessDenied, NetworkAccessDenied, LogonFailure, AccountRestriction, AccountDisabled, AccountLockedOut,
		PasswordExpired,
		WrongPassword, NoSuchUser, LogonTypeNotGranted,
		0xC0000061, // STATUS_PRIVILEGE_NOT_HELD
		0xC000006F, // STATUS_INVALID_LOGON_HOURS
		0xC0000070, // STATUS_INVALID_WORKSTATION
		0xC0000193, // STATUS_ACCOUNT_EXPIRED
		0xC0000198, // STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT
		0xC0000199, // STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT
		0xC0000224, // STATUS_PASSWORD_MUST_CHANGE
		0xC0000413, // STATUS_AUTHENTICATION_FIREWALL_FAILED
		0xC0000418: // STATUS_NTLM_BLOCKED
		return No
	case ObjectNameNotFound, ObjectPathNotFound, ObjectNameInvalid, NoSuchFile, BadNetworkName, NotImplemented,
		InvalidInfoClass,
		NotFound,
		0xC0000039, // STATUS_OBJECT_PATH_INVALID
		0xC002002E: // RPC_NT_PROCNUM_OUT_OF_RANGE
		return NotHere
	case NoneMapped, NoSuchDomain, NoMoreEntries:
		return Nothing
	case Success:
		return Yes
	}
	return Unsettled
}

// Returned classifies an NTSTATUS that a call returned, which is another question than whether the caller has access: a
// server that reports that an account does not exist, is locked or has another password has executed the call. Refused
// means that the caller itself has no access.
func (s NTStatus) Returned() Answer {
	switch s {
	case AccessDenied, NetworkAccessDenied,
		0xC0000061: // STATUS_PRIVILEGE_NOT_HELD
		return No
	case NotImplemented, NotSupported,
		0xC002002E: // RPC_NT_PROCNUM_OUT_OF_RANGE
		return NotHere
	}
	if s.IsError() {
		return Nothing
	}
	return Yes
}

// Returned classifies a Win32 code that a call returned, including those of the Remote Administration Protocol; see
// NTStatus.Returned.
func (s WError) Returned() Answer {
	switch s {
	case WerrOK:
		return Yes
	case WerrAccessDenied,
		65,   // ERROR_NETWORK_ACCESS_DENIED
		1314: // ERROR_PRIVILEGE_NOT_HELD
		return No
	case WerrNotSupported,
		1,   // ERROR_INVALID_FUNCTION
		120: // ERROR_CALL_NOT_IMPLEMENTED
		return NotHere
	}
	return Nothing
}

// Answer classifies a Win32 code.
func (s WError) Answer() Answer {
	switch s {
	case WerrAccessDenied,
		65,   // ERROR_NETWORK_ACCESS_DENIED
		1314, // ERROR_PRIVILEGE_NOT_HELD
		1326: // ERROR_LOGON_FAILURE
		return No
	case WerrNotSupported, WerrInvalidLevel,
		1,   // ERROR_INVALID_FUNCTION
		120: // ERROR_CALL_NOT_IMPLEMENTED
		return NotHere
	case WerrNoMoreItems,
		1311, // ERROR_NO_LOGON_SERVERS
		1355, // ERROR_NO_SUCH_DOMAIN
		1717, // RPC_S_UNKNOWN_IF
		1919: // ERROR_NO_SITENAME
		return Nothing
	case WerrOK:
		return Yes
	}
	return Unsettled
}

// Answer classifies the status of a fault packet.
func (s Fault) Answer() Answer {
	switch s {
	case FaultAccessDenied, FaultSecPkgError:
		return No
	case FaultOpRangeError, FaultUnknownInterface,
		1745, // RPC_S_PROCNUM_OUT_OF_RANGE, as a Win32 code
		1764: // RPC_S_CANNOT_SUPPORT
		return NotHere
	case FaultNotRegistered:
		return Nothing
	}
	return Unsettled
}
