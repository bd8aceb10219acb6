package export

import (
	"ipcguard/internal/format/regfile"
)

// regFile writes a .reg file and the one that brings back what was there.
func regFile(r *Result, list []*item) error {
	apply, undo := &regfile.File{Version: 5}, &regfile.File{Version: 5}
	for _, i := range list {
		if i.kind != inRegistry {
			r.leave(i, "it is no registry value")
			continue
		}
		apply.Ops = append(apply.Ops, regfile.Op{Kind: regfile.SetValue, Value: i.after})
	}
	for _, i := range reversed(list) {
		if i.kind != inRegistry {
			continue
		}
		op := regfile.Op{Kind: regfile.SetValue, Value: i.before}
		if !i.present {
			op = regfile.Op{Kind: regfile.DeleteValue, Value: i.after}
			op.Value.Type, op.Value.Data = 0, nil
		}
		undo.Ops = append(undo.Ops, op)
	}
	if len(apply.Ops) > 0 {
		r.Files = append(r.Files, File{"apply.reg", apply.Bytes()}, File{"undo.reg", undo.Bytes()})
	}
	return nil
}
