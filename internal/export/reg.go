package export

import (
	"ipcguard/internal/change"
	"ipcguard/internal/format/regfile"
)

// regFile writes a .reg file and the one that restores the previous state.
func regFile(r *Result, list []*item) error {
	apply, undo := &regfile.File{Version: 5}, &regfile.File{Version: 5}
	for _, i := range list {
		if i.Place.Kind != change.Registry {
			r.leave(i, "it is no registry value")
			continue
		}
		apply.Ops = append(apply.Ops, i.regOp(i.After))
	}
	for _, i := range reversed(list) {
		if i.Place.Kind != change.Registry {
			continue
		}
		undo.Ops = append(undo.Ops, i.regOp(i.Before))
	}
	if len(apply.Ops) > 0 {
		r.Files = append(r.Files, File{"apply.reg", apply.Bytes()}, File{"undo.reg", undo.Bytes()})
	}
	return nil
}

// regOp writes a state to a value. A .reg file can express any type and any bytes.
func (i *item) regOp(s change.State) regfile.Op {
	if !s.Present {
		return regfile.Op{Kind: regfile.DeleteValue, Value: i.value(change.State{})}
	}
	return regfile.Op{Kind: regfile.SetValue, Value: i.value(s)}
}
