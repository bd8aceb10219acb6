package target

import (
	"context"

	"ipcguard/internal/apply"
	"ipcguard/internal/model"
)

// StillTrue checks that what a plan rests on, beside what it changes, is still as it was. Facts that this kind of target
// does not hold (what an audit knows from elsewhere) are left out.
func StillTrue(ctx context.Context, t apply.Target, facts []model.Fact) error {
	for _, f := range facts {
		var err error
		if s, ok := t.(*Samba); ok {
			err = s.stillTrue(ctx, f)
		} else {
			err = valueStillTrue(ctx, t, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func valueStillTrue(ctx context.Context, t apply.Target, f model.Fact) error {
	p, err := valuePlace(f.Where)
	if err != nil {
		return nil // no registry value
	}
	s, err := t.Read(ctx, p)
	if err != nil {
		return err
	}
	if !holds(s, f.Value) {
		return &apply.StaleError{Where: f.Where, Want: showValue(f.Value), Have: s.String()}
	}
	return nil
}

func (s *Samba) stillTrue(ctx context.Context, f model.Fact) error {
	section, name, err := sambaPlace(f.Where)
	if err != nil || section == "SHARE" {
		return nil // no parameter, or one that each share has for itself
	}
	c, err := s.load(ctx)
	if err != nil {
		return err
	}
	return startsFrom(c, section, name, model.Change{Where: f.Where, From: f.Value})
}
