package acts

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"ipcguard/internal/fleet"
	"ipcguard/internal/fleet/access"
	"ipcguard/internal/model"
	"ipcguard/internal/store"
)

// TestRevokedWhileItUploads: a body may take hours. From the moment on in which its token, its account or its role is
// taken away, nothing of it is stored.
func TestRevokedWhileItUploads(t *testing.T) {
	const good = "a long enough password"
	for name, revoke := range map[string]func(*access.Access, access.Who, store.User, store.Token) error{
		"token deleted": func(p *access.Access, root access.Who, u store.User, k store.Token) error {
			return p.DeleteToken(t.Context(), root, u.ID, k.ID)
		},
		"account locked": func(p *access.Access, root access.Who, u store.User, _ store.Token) error {
			return p.Disable(t.Context(), root, u.ID)
		},
		"role reduced": func(p *access.Access, root access.Who, u store.User, _ store.Token) error {
			return p.SetRole(t.Context(), root, u.ID, store.RoleViewer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ok := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "fleet.db"), store.Options{})
			ok(err)
			defer st.Close()
			ok(st.Migrate(t.Context()))
			f, err := fleet.New(st, fleet.Options{})
			ok(err)
			people := access.New(st, access.Options{})
			does, err := New(f, st, people, Options{})
			ok(err)
			link, _, err := people.Setup(t.Context())
			ok(err)
			admin, err := people.FinishSetup(t.Context(), link, "root", good, "192.0.2.1")
			ok(err)
			root, err := people.Resume(t.Context(), admin.ID, access.Stamp(&admin), "192.0.2.1")
			ok(err)
			u, err := people.AddUser(t.Context(), root, "ada", store.RoleOperator, good)
			ok(err)
			ada, err := people.Resume(t.Context(), u.ID, access.Stamp(&u), "192.0.2.7")
			ok(err)
			secret, token, err := people.NewToken(t.Context(), ada, good, "ci", store.ScopeUpload,
				time.Now().Add(time.Hour))
			ok(err)
			who, err := people.TokenAuth(t.Context(), secret, "192.0.2.7")
			ok(err)

			body, writer := io.Pipe()
			ended := make(chan error, 1)
			go func() {
				_, err := does.ImportResults(t.Context(), who, "scan", body)
				body.CloseWithError(io.ErrClosedPipe) // what is still sent is not read
				ended <- err
			}()
			send := func(i int) error {
				b, err := json.Marshal(&model.Scan{
					Schema: model.SchemaScan, Target: fmt.Sprintf("10.0.0.%d", i), Address: fmt.Sprintf("10.0.0.%d:445", i),
					Verdict: model.Closed, Started: time.Now(),
				})
				ok(err)
				_, err = writer.Write(append(b, '\n'))
				return err
			}
			hosts := func() int {
				_, n, err := st.Hosts(t.Context(), store.HostFilter{}, store.Page{Size: 1})
				ok(err)
				return n
			}
			ok(send(1))
			ok(send(2))
			for hosts() == 0 {
				time.Sleep(10 * time.Millisecond)
			}
			ok(revoke(people, root, u, token))
			time.Sleep(askEvery)
			if err := send(3); err == nil { // the reader may have taken it, and must not use it
				_ = send(4)
			}
			if err := <-ended; !errors.Is(err, access.ErrForbidden) {
				t.Errorf("it ended with %v", err)
			}
			if n := hosts(); n > 2 {
				t.Errorf("%d hosts: one was stored after that", n)
			}
		})
	}
}
