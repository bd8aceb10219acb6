package conversation

import (
	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/status"
)

// smbOutcome maps the status of a session setup, tree connect or open.
func smbOutcome(layer model.Layer, s status.NTStatus) model.Outcome {
	switch {
	case !s.IsError():
		return model.Allowed
	case s.Answer() == status.No, layer == model.LayerSession && s == status.NotSupported:
		return model.Denied
	case layer != model.LayerSession && s.Answer() == status.NotHere:
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

// faultOutcome maps the status of a fault.
func faultOutcome(f status.Fault) model.Outcome {
	if f.Answer() == status.Nothing {
		return model.Allowed
	}
	return pick(f.Answer() == status.No, f.Answer() == status.NotHere)
}

// returnOutcome maps the status at the end of an answer. A server that reports a missing account, level or share has
// carried out the call: errors other than refusals and missing calls are allowed use.
func returnOutcome(r dcerpc.Returned) (model.Outcome, string) {
	switch r.Kind {
	case dcerpc.ReturnNTStatus:
		s := status.NTStatus(r.Code)
		return returned(s.Returned()), s.String()
	case dcerpc.ReturnWError:
		return winOutcome(status.WError(r.Code))
	case dcerpc.ReturnHResult:
		if r.Code>>16 == 0x8007 { // HRESULT_FROM_WIN32, [MS-ERREF] 2.1.2
			return winOutcome(status.WError(r.Code & 0xFFFF))
		}
		if r.Code == 0 {
			return model.Allowed, status.WerrOK.String()
		}
		return answered(r.Code == 0x80041003, false), status.Fault(r.Code).String()
	case dcerpc.ReturnDCE:
		f := status.Fault(r.Code)
		if r.Code == 0 {
			return model.Allowed, ""
		}
		return answered(f.Answer() == status.No, f.Answer() == status.NotHere), f.String()
	}
	return model.Allowed, ""
}

func winOutcome(w status.WError) (model.Outcome, string) {
	return returned(w.Returned()), w.String()
}

// returned maps a call's own status: the call was carried out unless it was refused or does not exist.
func returned(a status.Answer) model.Outcome { return answered(a == status.No, a == status.NotHere) }

func answered(denied, absent bool) model.Outcome {
	if o := pick(denied, absent); o != model.Inconclusive {
		return o
	}
	return model.Allowed
}

// bindOutcome maps the server's answer to one offered context.
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
