package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ipcguard/internal/fleet/acts"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// rollout makes a plan for many hosts, has it planned, and reads it. Host 1 was audited and has nothing to change.
func (c *scene) rollout() {
	const (
		v = store.RoleViewer
		o = store.RoleOperator
	)
	t := c.t
	t.Helper()
	audit, err := json.Marshal(model.Audit{
		Schema: model.SchemaAudit, Source: model.Source{Kind: "smbconf", Name: "smb.conf"}, Host: "srv2",
		Platform: model.Platform{System: "samba", Product: "samba", Version: "4.17.12", Role: model.Standalone},
		Settings: []model.Setting{{
			ID: "restrict anonymous", Where: "[global] restrict anonymous", Type: "int",
			Effective: 0, Basis: model.BasisDefault, State: model.StateWeak,
		}},
		Access: map[model.Identity]model.Access{},
		Findings: []model.Finding{{
			ID: "anonymous-lists-accounts", Severity: model.High,
			Identity: model.Anonymous,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.st.SaveDocument(t.Context(), 2, "audit", time.Now(), audit); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []acts.NewRollout{
		{},
		{Name: "x", Query: "verdict=worst"},
		{Name: "x", Query: "colour=red"},
		{Name: "x", Query: "%zz"},
		{Name: "x", Query: "tag=a&tag=b"},
		{Name: "x", Hosts: []int64{99}},
		{Name: "x", Query: "tag=lab", Hosts: []int64{1}},
		{Name: "x", Setting: "no such"},
		{Name: "x", Setting: "restrict anonymous", Strategy: "block"},
		{Name: "x", Goal: "all"},
	} {
		c.ask(o, http.MethodPost, "/rollouts", bad, 422)
	}
	one := c.act(o, http.MethodPost, "/rollouts", acts.NewRollout{Name: "the lab", Query: "tag=lab&verdict=exposed"}, 201)
	var made store.Rollout
	one.into(&made)
	if made.Hosts != 3 || made.States[store.RolloutWaiting] != 3 || made.Strategy != "restrict" ||
		made.By != "operator token:test" {
		t.Errorf("%+v", made)
	}
	if err := c.fleet.PlanRollouts(t.Context()); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/rollouts/%d", made.ID)
	made = store.Rollout{}
	c.ask(v, http.MethodGet, path, nil, 200).into(&made)
	if made.Planned.IsZero() || made.States[store.RolloutUnaudited] != 1 || made.States[store.RolloutNothing] != 1 ||
		made.States[store.RolloutUnwatched] != 1 {
		t.Errorf("%+v", made)
	}
	var groups list[store.RolloutGroup]
	c.ask(v, http.MethodGet, path+"/groups", nil, 200).into(&groups)
	if groups.Total != 1 || groups.Items[0].Hosts != 1 || len(groups.Items[0].Changes) != 1 ||
		groups.Items[0].Changes[0].Setting != "restrict anonymous" {
		t.Errorf("%+v", groups)
	}
	if got := strings.Join(groups.Items[0].Closes, " "); got != "anonymous-lists-accounts" {
		t.Errorf("it closes %q", got)
	}
	var hosts list[store.RolloutHost]
	c.ask(v, http.MethodGet, path+"/hosts?state=unaudited&sort=-host", nil, 200).into(&hosts)
	if hosts.Total != 1 || hosts.Items[0].HostID != 3 || !strings.Contains(hosts.Items[0].Why, "never audited") {
		t.Errorf("%+v", hosts)
	}
	c.ask(v, http.MethodGet, path+"/stops", nil, 200)
	c.ask(v, http.MethodGet, "/rollouts?sort=name", nil, 200)
	if b := c.ask(v, http.MethodGet, path+"/archive", nil, 200).Body.Bytes(); !bytes.HasPrefix(b, []byte("PK")) || !bytes.Contains(b, []byte("ansible/inventory.yml")) {
		t.Errorf("the archive begins with %.20q", b)
	}
	for _, shape := range []string{"csv", "jira", "servicenow"} {
		if s := c.ask(v, http.MethodGet, path+"/tickets?shape="+shape, nil, 200).Body.String(); !strings.Contains(s, "Set restrict anonymous") {
			t.Errorf("tickets for %s: %s", shape, s)
		}
	}
	c.ask(v, http.MethodGet, path+"/tickets?shape=poem", nil, 400)
	c.ask(v, http.MethodPost, path+"/plan", nil, 403)
	var again store.Rollout
	c.act(o, http.MethodPost, path+"/plan", nil, 200).into(&again)
	if again.States[store.RolloutWaiting] != 3 || !again.Planned.IsZero() {
		t.Errorf("%+v", again)
	}
	c.ask(v, http.MethodPost, path+"/end", nil, 403)
	c.act(o, http.MethodPost, path+"/end", nil, 200)
	c.ask(o, http.MethodPost, path+"/end", nil, 409)
	c.ask(o, http.MethodPost, path+"/plan", nil, 409)
	c.ask(v, http.MethodDelete, path, nil, 403)
	c.act(o, http.MethodDelete, path, nil, 204)
	c.ask(v, http.MethodGet, path+"/groups", nil, 404)
}
