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
	c, err := catalog.Load()
	if err != nil {
		panic(err)
	}
	var lines []chosen
	for _, ch := range p.Changes {
		if s := "] " + ch.Setting; (ch.Setting == guestOK || ch.Setting == guestOnly) &&
			strings.HasSuffix(ch.Where, s) {
			at := strings.TrimSuffix(strings.TrimPrefix(ch.Where, "["), s)
			lines = append(lines,
				chosen{&edit{setting: c.Setting(ch.Setting), share: at, options: []option{{data: ch.To.Data}}}, 0})
			continue
		}
		in.Settings[ch.Setting] = ch.To
	}
	in.Shares = withLines(in.Shares, lines)
	return in
}

// levels says how far each door is open in a configuration.
func (w *work) levels(cfg catalog.Config) []level {
	return w.levelsIn(w.c.View(cfg), w.list(cfg, "NullSessionShares"))
}
