package engine

import (
	"fmt"
	"strings"

	"golang.org/x/sys/windows/svc/eventlog"

	"ipcguard/internal/model"
)

// Event IDs by action.
var eventIDs = map[string]uint32{"applied": 1, "confirmed": 2, "rolled-back": 3}

// report writes the record to the Application log. It does not register the event source, which would be one more
// change to the host; without the installer's registration the viewer warns and still shows the text.
func report(r Record) error {
	l, err := eventlog.Open("ipcguard")
	if err != nil {
		return fmt.Errorf("apply: event log: %w", err)
	}
	defer l.Close()
	var b strings.Builder
	w := model.VisibleWriter{Writer: &b}
	fmt.Fprintf(w, "ipcguard %s %s\nwho: %s\nplan: %s\n", r.Action, r.ID, r.Who, r.PlanHash)
	for _, c := range r.Changes {
		fmt.Fprintf(w, "%s: %s -> %s\n", c.Where, c.From, c.To)
	}
	for _, a := range r.Alerts {
		fmt.Fprintf(w, "%s\n", a)
	}
	const most = 30_000 // of characters: a string of an event holds 31,839
	text := strings.ReplaceAll(b.String(), "\n", "\r\n")
	if len(text) > most {
		text = text[:most]
	}
	return l.Info(eventIDs[r.Action], text)
}
