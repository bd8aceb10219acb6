package target

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/change"
	"ipcguard/internal/model"
)

// Reader returns the exact content of a place.
type Reader = func(context.Context, apply.Place) (apply.State, error)

// ResolveValues turns changes of registry values into writes, for every registry target.
func ResolveValues(ctx context.Context, read Reader, changes []*change.Change) ([]apply.Write, error) {
	var out []apply.Write
	for _, c := range changes {
		p, err := valuePlace(c)
		if err != nil {
			return nil, err
		}
		before, err := read(ctx, p)
		if err != nil {
			return nil, err
		}
		if !c.Place.Holds(content(before), c.From) {
			return nil, &apply.StaleError{Where: c.Where, Want: c.From.String(), Have: before.String()}
		}
		after := apply.State{Present: c.After.Present, Type: c.After.Type, Data: c.After.Data}
		if slices.ContainsFunc(out, func(w apply.Write) bool {
			return strings.EqualFold(w.Place.String(), p.String())
		}) {
			return nil, &apply.RefusedError{Where: c.Where, Why: "the plan changes it twice"}
		}
		if after.Same(before) {
			continue
		}
		after.Security = before.Security
		out = append(out, apply.Write{
			Place: p, Before: before, After: after, Changes: []string{c.ID}, Needs: needs(c),
			Restart: restartOf(c, p),
		})
	}
	return out, nil
}

// content returns the state of a registry value without its surroundings.
func content(s apply.State) change.State {
	return change.State{Present: s.Present, Type: s.Type, Data: s.Data}
}

// ValueStillTrue implements StillTrue for every registry target.
func ValueStillTrue(ctx context.Context, read Reader, f model.Fact) error {
	at, err := change.Locate("windows", f.Where)
	if err != nil || at.Kind != change.Registry {
		return nil
	}
	s, err := read(ctx, apply.Place{Kind: apply.RegistryValue, Path: at.Key, Name: at.Name})
	if err != nil {
		return err
	}
	if !at.Holds(content(s), f.Value) {
		return &apply.StaleError{Where: f.Where, Want: f.Value.String(), Have: s.String()}
	}
	return nil
}

// needs returns what a change needs that no target does.
func needs(c *change.Change) []string {
	switch c.When {
	case "reboot":
		return []string{"a reboot"}
	case "service-restart":
		return []string{c.TakesEffect}
	}
	return nil
}

// valuePlace returns the place of a change of a registry value.
func valuePlace(c *change.Change) (apply.Place, error) {
	if c.Place.Kind != change.Registry {
		return apply.Place{}, &apply.RefusedError{
			Where: c.Where, Why: "this is no registry value of the machine",
			Instead: "ipcguard export --as gpo or --as powershell writes it in the form that Windows' own tools take",
		}
	}
	return apply.Place{Kind: apply.RegistryValue, Path: c.Place.Key, Name: c.Place.Name}, nil
}

// restartNotes says what the host still has to do.
func restartNotes(writes []apply.Write, now time.Time) []string {
	var notes []string
	for _, w := range writes {
		for _, n := range w.Needs {
			n = fmt.Sprintf("needed before %s takes effect: %s (written at %s)", w.Place.Name, n,
				now.Local().Format(time.DateTime))
			notes = append(notes, n)
		}
	}
	return notes
}

// valuesStillTrue is ValueStillTrue for several facts.
func valuesStillTrue(ctx context.Context, read Reader, facts []model.Fact) error {
	for _, f := range facts {
		if err := ValueStillTrue(ctx, read, f); err != nil {
			return err
		}
	}
	return nil
}
