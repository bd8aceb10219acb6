package scan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"ipcguard/internal/dcerpc"
	"ipcguard/internal/model"
	"ipcguard/internal/ntlm"
	"ipcguard/internal/smb"
	"ipcguard/internal/status"
)

// layerStep maps the answer of a session, tree connect or open.
func layerStep(layer model.Layer, err error) model.Step {
	if err == nil {
		return model.Step{Outcome: model.Allowed, Status: status.Success.String()}
	}
	var withheld *ntlm.WithheldError
	if errors.As(err, &withheld) {
		return model.Step{Outcome: model.NotTested, Detail: ntlm.NotGiven + withheld.Reason}
	}
	var nt status.NTStatus
	if !errors.As(err, &nt) {
		return model.Step{Outcome: model.Inconclusive, Detail: plain(err)}
	}
	s := model.Step{Outcome: model.Inconclusive, Status: nt.String()}
	switch {
	case nt.Answer() == status.No:
		s.Outcome = model.Denied
	case layer != model.LayerSession && nt.Answer() == status.NotHere:
		s.Outcome = model.Absent
	case layer == model.LayerSession && nt == status.NotSupported:
		s.Outcome, s.Detail = model.Denied, "the server does not take this way to log on"
	}
	return s
}

// callOutcome maps the answer of a call. Statuses without meaning for access mean that the server answered and had
// nothing to give.
func callOutcome(err error) (outcome model.Outcome, word, detail string, nothing bool) {
	var nt status.NTStatus
	var win status.WError
	var fault status.Fault
	switch {
	case err == nil:
		return model.Allowed, "", "", false
	case errors.As(err, &fault):
		return judged(fault.Answer(), fault)
	case errors.As(err, &win):
		if win>>16 == 0x8007 { // an HRESULT made of a Win32 code, [MS-ERREF] 2.1.2
			win &= 0xFFFF
		}
		return judged(ofCall(win.Returned(), win.Answer()), win)
	case errors.As(err, &nt):
		return judged(ofCall(nt.Returned(), nt.Answer()), nt)
	}
	return model.Inconclusive, "", plain(err), false
}

// ofCall combines what is known of a call's status with its general meaning. Only the first decides whether the caller
// has access: for an account that is missing or locked the call disclosed something. An unknown error may be caused by
// the question.
func ofCall(returned, elsewhere status.Answer) status.Answer {
	switch {
	case returned == status.No, returned == status.NotHere:
		return returned
	case elsewhere == status.No:
		return status.Nothing
	}
	return elsewhere
}

// judged returns the outcome of a call with an answer. A status of unknown meaning is inconclusive.
func judged(a status.Answer, s fmt.Stringer) (outcome model.Outcome, word, detail string, nothing bool) {
	switch a {
	case status.Nothing:
		return model.Allowed, s.String(), "", true
	case status.No:
		return model.Denied, s.String(), "", false
	case status.NotHere:
		return model.Absent, s.String(), "", false
	}
	return model.Inconclusive, s.String(), "", false
}

// bindStep maps the server's answer for one interface.
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

// bindError maps a bind that was refused completely, or not answered.
func bindError(err error) model.Step {
	var nak *dcerpc.BindNak
	if errors.As(err, &nak) {
		return model.Step{Outcome: model.Inconclusive, Status: strings.TrimPrefix(nak.Error(), "dcerpc: ")}
	}
	outcome, word, detail, _ := callOutcome(err)
	return model.Step{Outcome: outcome, Status: word, Detail: detail}
}

// plain describes why there was no answer.
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

// dropped reports whether the connection is lost, so that nothing more can be asked on it.
func dropped(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) && t.Dropped()
}

// lost reports whether the question got no answer for any network reason.
func lost(err error) bool {
	var t *smb.TransportError
	return errors.As(err, &t) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// isAnswer reports whether an error is the server's answer: a status, a fault, or a refused bind.
func isAnswer(err error) bool {
	var nt status.NTStatus
	var win status.WError
	var fault status.Fault
	var nak *dcerpc.BindNak
	return errors.As(err, &nt) || errors.As(err, &win) || errors.As(err, &fault) || errors.As(err, &nak)
}
