package plan

import (
	"strings"

	"ipcguard/internal/catalog"
	"ipcguard/internal/model"
)

// Config is what a plan's target would be after it, for the access model.
func Config(a *model.Audit, p *model.Plan) catalog.Config {
	in := catalog.ConfigOf(a)
	in.Platform = p.Platform
	for _, ch := range p.Changes {
		if s := "] " + ch.Setting; (ch.Setting == guestOK || ch.Setting == guestOnly) && strings.HasSuffix(ch.Where, s) {
			in.Shares = closed(in.Shares, strings.TrimSuffix(strings.TrimPrefix(ch.Where, "["), s), ch.Setting)
			continue
		}
		in.Settings[ch.Setting] = ch.To
	}
	return in
}

// levels says how far each door is open in a configuration.
func (w *work) levels(cfg catalog.Config) []level {
	return w.levelsIn(w.c.View(cfg), w.list(cfg, "NullSessionShares"))
}
