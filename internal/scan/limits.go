package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ipcguard/internal/model"
)

// limit records that something was available and was not asked.
func (h *host) limit(l model.Limit) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if !slices.Contains(h.result.Limits, l) {
		h.result.Limits = append(h.result.Limits, l)
	}
}

// bounds records what the ladders omitted, in a fixed order.
func (h *host) bounds(ladders []*ladder, ended error) {
	for _, l := range ladders {
		if n := l.result.SharesLeft; n > 0 {
			h.limit(model.Limit{
				Limit: model.LimitShares, Identity: l.id, Tried: len(l.result.Shares), Left: n,
				Why: fmt.Sprintf("%d disk shares were tried and %d were not", len(l.result.Shares), n),
			})
		}
		lost := 0
		for _, p := range l.result.Pipes {
			if p.Open.Outcome == model.Inconclusive {
				lost++
			}
		}
		if l.reconnects > maxReconnects {
			h.limit(model.Limit{
				Limit: model.LimitPipes, Identity: l.id, Tried: len(l.result.Pipes) - lost, Left: lost,
				Why: fmt.Sprintf("the server dropped the connection %d times; pipes that were lost with it were not "+
					"asked again", maxReconnects+1),
			})
		}
	}
	switch {
	case errors.Is(ended, context.Canceled):
		h.limit(model.Limit{Limit: model.LimitTime, Why: outOfTime(ended)})
	case ended != nil:
		h.limit(model.Limit{Limit: model.LimitTime, Why: fmt.Sprintf("the time for this host, %v, ran out", h.o.Host)})
	case h.o.Quick:
		h.limit(model.Limit{Limit: model.LimitPipes, Tried: 1, Why: "--quick asks the null-session question alone, " +
			"at one pipe"})
	}
	slices.SortFunc(h.result.Limits, func(a, b model.Limit) int {
		return cmp.Or(strings.Compare(string(a.Limit), string(b.Limit)), strings.Compare(string(a.Identity),
			string(b.Identity)), strings.Compare(a.Of, b.Of), strings.Compare(a.Why, b.Why))
	})
}
