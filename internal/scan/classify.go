package scan

import (
	"context"
	"errors"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// The server's words for no, for "there is no such thing", and for "asked and answered, nothing to give". Whatever is
// in none of the lists is inconclusive: nobody has shown what it means.
var (
	ntDenied = set(status.AccessDenied, status.NetworkAccessDenied, status.LogonFailure, status.AccountRestriction,
		status.AccountDisabled, status.AccountLockedOut, status.PasswordExpired, status.WrongPassword, status.NoSuchUser,
		status.LogonTypeNotGranted,
		0xC0000061, // STATUS_PRIVILEGE_NOT_HELD
		0xC0000070, // STATUS_INVALID_WORKSTATION
		0xC000006F, // STATUS_INVALID_LOGON_HOURS
		0xC0000193, // STATUS_ACCOUNT_EXPIRED
		0xC0000224, // STATUS_PASSWORD_MUST_CHANGE
		0xC0000413, // STATUS_AUTHENTICATION_FIREWALL_FAILED
		0xC0000418, // STATUS_NTLM_BLOCKED
		0xC0000199, // STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT
		0xC0000198, // STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT
	)
	ntAbsent = set(status.ObjectNameNotFound, status.ObjectPathNotFound, status.ObjectNameInvalid, status.NoSuchFile,
		status.BadNetworkName, status.NotImplemented, status.InvalidInfoClass, status.NotFound,
		0xC0000039, // STATUS_OBJECT_PATH_INVALID
		0xC002002E, // RPC_NT_PROCNUM_OUT_OF_RANGE
	)
	ntNothing = set(status.NoneMapped, status.NoSuchDomain, status.NoMoreEntries)

	winDenied  = set(status.WerrAccessDenied, 65 /* network access denied */, 1314 /* privilege not held */, 1326 /* logon failure */)
	winAbsent  = set(status.WerrNotSupported, status.WerrInvalidLevel, 1 /* invalid function */, 120 /* call not implemented */)
	winNothing = set(status.WerrNoMoreItems,
		1355, // ERROR_NO_SUCH_DOMAIN
		1717, // RPC_S_UNKNOWN_IF
		1919, // ERROR_NO_SITENAME
		1311, // ERROR_NO_LOGON_SERVERS
	)

	// What the endpoint mapper says at the end of its map, and so of an empty one.
	faultNothing = set(status.Fault(0x16C9A0D6))
	faultDenied  = set(status.FaultAccessDenied, status.FaultSecPkgError)
	faultAbsent  = set(status.FaultOpRangeError, status.FaultUnknownInterface,
		1745, // RPC_S_PROCNUM_OUT_OF_RANGE, as a Win32 code
		1764, // RPC_S_CANNOT_SUPPORT
	)
)

func set[T comparable](values ...T) map[T]bool {
	m := make(map[T]bool, len(values))
	for _, v := range values {
		m[v] = true
	}
	return m
}

// layerStep judges the answer of a session, tree or open.
func layerStep(layer model.Layer, err error) model.Step {
	if err == nil {
		return model.Step{Outcome: model.Allowed, Status: status.Success.String()}
	}
	var nt status.NTStatus
	if !errors.As(err, &nt) {
		return model.Step{Outcome: model.Inconclusive, Detail: plain(err)}
	}
	s := model.Step{Outcome: model.Inconclusive, Status: nt.String()}
	switch {
	case ntDenied[nt]:
		s.Outcome = model.Denied
	case layer != model.LayerSession && ntAbsent[nt]:
		s.Outcome = model.Absent
	case layer == model.LayerSession && nt == status.NotSupported:
		s.Outcome, s.Detail = model.Denied, "the server does not take this way to log on"
	}
	return s
}

// callOutcome judges the answer of a call. Nothing tells that the server answered and had nothing to give.
func callOutcome(err error) (outcome model.Outcome, word, detail string, nothing bool) {
	var nt status.NTStatus
	var win status.WError
	var fault status.Fault
	switch {
	case err == nil:
		return model.Allowed, "", "", false
	case errors.As(err, &fault) && faultNothing[fault]:
		return model.Allowed, fault.String(), "", true
	case errors.As(err, &fault):
		return pick(faultDenied[fault], faultAbsent[fault]), fault.String(), "", false
	case errors.As(err, &win):
		if win>>16 == 0x8007 { // an HRESULT made of a Win32 code, [MS-ERREF] 2.1.2
			win &= 0xFFFF
		}
		if winNothing[win] {
			return model.Allowed, win.String(), "", true
		}
		return pick(winDenied[win], winAbsent[win]), win.String(), "", false
	case errors.As(err, &nt):
		if ntNothing[nt] {
			return model.Allowed, nt.String(), "", true
		}
		return pick(ntDenied[nt], ntAbsent[nt] || nt == status.NotSupported), nt.String(), "", false
	}
	return model.Inconclusive, "", plain(err), false
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

// bindStep judges the server's answer to one interface.
func bindStep(r dcerpc.ContextResult) model.Step {
	s := model.Step{Outcome: model.Inconclusive, Status: r.String()}
	switch {
	case r.Accepted:
		s.Outcome = model.Allowed
	case r.Reason == dcerpc.ReasonAbstractNotSupported:
		s.Outcome = model.Absent
	case r.Result == dcerpc.ResultUserRejection:
		s.Outcome = model.Denied
	}
	return s
}

// bindError judges a bind that was refused as a whole, or not answered.
func bindError(err error) model.Step {
	var nak *dcerpc.BindNak
	if errors.As(err, &nak) {
		return model.Step{Outcome: model.Inconclusive, Status: strings.TrimPrefix(nak.Error(), "dcerpc: ")}
	}
	outcome, word, detail, _ := callOutcome(err)
	return model.Step{Outcome: outcome, Status: word, Detail: detail}
}

// plain says in words why there was no answer.
func plain(err error) string {
	var t *smb.TransportError
	switch {
	case errors.As(err, &t):
		return t.Reason
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in the time for this host"
	case errors.Is(err, context.Canceled):
		return "interrupted"
	}
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "smb: "), "dcerpc: ")
}

// dropped tells whether the connection is gone, so that nothing further can be asked on it.
func dropped(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) && t.Dropped()
}

// lost tells whether the question never got an answer, for whatever reason of the network.
func lost(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}
