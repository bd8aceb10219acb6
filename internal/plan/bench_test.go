package plan

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"ipcguard/internal/model"
	"ipcguard/internal/peer"
)

// BenchmarkPlan10000 plans ten thousand hosts from evidence as it is stored, in as many lanes as CI has processors: an
// audit and a scan of each are read from their JSON, the plan is made with what was observed, sealed, and written as
// JSON.
func BenchmarkPlan10000(b *testing.B) {
	const hosts, kinds, lanes = 10000, 256, 2
	type stored struct{ audit, scan []byte }
	evidence := make([]stored, kinds)
	size := 0
	for i := range evidence {
		h := host{
			system: "windows", product: []string{"win2019", "win2022", "win10-22H2", "win2003", "win2008"}[i%5],
			role: []model.Role{model.Member, model.DomainController}[i/5%2], settings: map[string]any{
				"RestrictAnonymous": i & 1, "RestrictAnonymousSAM": i >> 1 & 1, "RestrictNullSessAccess": i >> 2 & 1,
				"EveryoneIncludesAnonymous": i >> 3 & 1,
				"NullSessionPipes":          []string{"samr", "lsarpc", "browser", fmt.Sprintf("pipe%d", i)}[i>>4&3:],
				"EnableGuestAccount":        i >> 6 & 1, "LSAAnonymousNameLookup": i >> 7 & 1,
			},
		}
		if h.product == "win10-22H2" {
			h.role = model.Workstation
		}
		if i%3 == 0 {
			h = host{
				system: "samba", product: "samba", role: []model.Role{model.Standalone, model.DomainController}[i%2],
				settings: map[string]any{
					"restrict anonymous": i % 3, "map to guest": []string{"never", "bad user"}[i/3%2],
				}, shares: []model.Share{{Name: "public", Guest: i%4 == 0}},
			}
		}
		scan := scanOf(model.OutcomeUnknown)
		scan.Server.System = h.system
		var errs [2]error
		evidence[i].audit, errs[0] = json.Marshal(h.audit(b))
		evidence[i].scan, errs[1] = json.Marshal(scan)
		if err := errors.Join(errs[:]...); err != nil {
			b.Fatal(err)
		}
		size += len(evidence[i].audit) + len(evidence[i].scan)
	}
	uses := month(use("10.0.0.5", model.Anonymous, "samr", "SamrEnumerateUsersInDomain", 13),
		use("10.0.0.7", model.User, "srvsvc", "", -1))
	one := func(s stored) error {
		scan := &model.Scan{}
		audit, err := ReadAudit(s.audit)
		if err := errors.Join(err, json.Unmarshal(s.scan, scan)); err != nil {
			return err
		}
		p, err := Make(Evidence{Audit: audit, Scans: []*model.Scan{scan}, Observed: uses})
		if err != nil {
			return err
		}
		_, err = json.Marshal(p)
		return err
	}
	b.ReportAllocs()
	before := peer.SelfCPU(b)
	for b.Loop() {
		done := make(chan error)
		for lane := range lanes {
			go func() {
				for i := lane; i < hosts; i += lanes {
					if err := one(evidence[i%kinds]); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range lanes {
			if err := <-done; err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(hosts)*float64(b.N)/b.Elapsed().Seconds(), "hosts/s")
	b.ReportMetric((peer.SelfCPU(b)-before).Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(float64(size)/kinds, "evidence-B/host")
}
