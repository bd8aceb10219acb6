package conversation

import (
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// The server's words for no, and for "there is no such thing". What is in neither list and is an error stays inconclusive.
var (
	ntDenied = set(status.AccessDenied, status.NetworkAccessDenied, status.LogonFailure, status.AccountRestriction,
		status.AccountDisabled, status.AccountLockedOut, status.PasswordExpired, status.WrongPassword, status.NoSuchUser,
		status.LogonTypeNotGranted,
		0xC0000061, // STATUS_PRIVILEGE_NOT_HELD
		0xC000006F, // STATUS_INVALID_LOGON_HOURS
		0xC0000070, // STATUS_INVALID_WORKSTATION
		0xC0000193, // STATUS_ACCOUNT_EXPIRED
		0xC0000198, // STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT
		0xC0000199, // STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT
		0xC0000224, // STATUS_PASSWORD_MUST_CHANGE
		0xC0000413, // STATUS_AUTHENTICATION_FIREWALL_FAILED
		0xC0000418, // STATUS_NTLM_BLOCKED
	)
	ntAbsent = set(status.ObjectNameNotFound, status.ObjectPathNotFound, status.ObjectNameInvalid, status.NoSuchFile,
		status.BadNetworkName, status.NotImplemented, status.InvalidInfoClass, status.NotFound,
		0xC0000039, // STATUS_OBJECT_PATH_INVALID
		0xC002002E, // RPC_NT_PROCNUM_OUT_OF_RANGE
	)
	winDenied    = set(status.WerrAccessDenied, 65 /* network access denied */, 1314 /* privilege not held */, 1326 /* logon failure */)
	winAbsent    = set(status.WerrNotSupported, status.WerrInvalidLevel, 1 /* invalid function */, 120 /* call not implemented */)
	faultDenied  = set(status.FaultAccessDenied, status.FaultSecPkgError)
	faultAbsent  = set(status.FaultOpRangeError, status.FaultUnknownInterface, 1745 /* procnum out of range, as Win32 */)
	faultNothing = set(status.Fault(0x16C9A0D6)) // the end of an endpoint map
)

func set[T comparable](values ...T) map[T]bool {
	m := make(map[T]bool, len(values))
	for _, v := range values {
		m[v] = true
	}
	return m
}

// smbOutcome judges the status of a session setup, tree connect or open.
func smbOutcome(layer model.Layer, s status.NTStatus) model.Outcome {
	switch {
	case !s.IsError():
		return model.Allowed
	case ntDenied[s], layer == model.LayerSession && s == status.NotSupported:
		return model.Denied
	case layer != model.LayerSession && ntAbsent[s]:
		return model.Absent
	}
	return model.Inconclusive
}

func pick(denied, absent bool) model.Outcome {
	switch {
	case denied:
		return model.Denied
	case absent:
		return model.Absent
	}
	return model.Inconclusive
}

// faultOutcome judges a fault packet.
func faultOutcome(f status.Fault) model.Outcome {
	if faultNothing[f] {
		return model.Allowed
	}
	return pick(faultDenied[f], faultAbsent[f])
}

// returnOutcome judges the status at the end of an answer. A server that says there is no such account, level or share has
// carried the call out: other errors than no and not here are allowed use.
func returnOutcome(r dcerpc.Returned) (model.Outcome, string) {
	switch r.Kind {
	case dcerpc.ReturnNTStatus:
		s := status.NTStatus(r.Code)
		return answered(ntDenied[s], s == status.NotImplemented || s == status.NotSupported || s == 0xC002002E), s.String()
	case dcerpc.ReturnWError:
		return winOutcome(status.WError(r.Code))
	case dcerpc.ReturnHResult:
		if r.Code>>16 == 0x8007 { // HRESULT_FROM_WIN32, [MS-ERREF] 2.1.2
			return winOutcome(status.WError(r.Code & 0xFFFF))
		}
		if r.Code == 0 {
			return model.Allowed, status.WerrOK.String()
		}
		return answered(r.Code == 0x80070005 || r.Code == 0x80041003, false), status.Fault(r.Code).String()
	case dcerpc.ReturnDCE:
		f := status.Fault(r.Code)
		if r.Code == 0 {
			return model.Allowed, ""
		}
		return answered(faultDenied[f], faultAbsent[f]), f.String()
	}
	return model.Allowed, ""
}

func winOutcome(w status.WError) (model.Outcome, string) {
	return answered(winDenied[w], winAbsent[w] && w != status.WerrInvalidLevel), w.String()
}

func answered(denied, absent bool) model.Outcome {
	if o := pick(denied, absent); o != model.Inconclusive {
		return o
	}
	return model.Allowed
}

// bindOutcome judges the server's answer to one offered context.
func bindOutcome(r dcerpc.ContextResult) model.Outcome {
	switch {
	case r.Accepted:
		return model.Allowed
	case r.Reason == dcerpc.ReasonAbstractNotSupported:
		return model.Absent
	case r.Result == dcerpc.ResultUserRejection:
		return model.Denied
	}
	return model.Inconclusive
}
