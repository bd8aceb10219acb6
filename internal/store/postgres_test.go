package store

import (
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Another machine is reached over TLS in every mode except an explicit disable; this machine as its address says.
func TestOnlyTLS(t *testing.T) {
	for dsn, plain := range map[string]struct{ allowed, refused bool }{
		"postgres://u@db.example/d":                          {false, false},
		"postgres://u@db.example/d?sslmode=prefer":           {false, false},
		"postgres://u@db.example/d?sslmode=allow":            {false, false},
		"postgres://u@db.example/d?sslmode=require":          {false, false},
		"postgres://u@db.example/d?sslmode=disable":          {true, false},
		"postgres://u@db.example/d?application_name=disable": {false, false},
		"postgres://u@127.0.0.1,db.example/d?sslmode=prefer": {true, false}, // to this machine
		"postgres://u@127.0.0.1/d":                           {true, false},
		"postgres://u@localhost/d?sslmode=disable":           {true, false},
		"postgres:///d?host=/run/postgresql":                 {true, false},
	} {
		c, err := pgxpool.ParseConfig(dsn)
		if err != nil {
			t.Fatal(dsn, err)
		}
		err = onlyTLS(c.ConnConfig, dsn)
		if (err != nil) != plain.refused {
			t.Errorf("%s: %v", dsn, err)
		}
		ways := c.ConnConfig.TLSConfig == nil
		for _, f := range c.ConnConfig.Fallbacks {
			ways = ways || f.TLSConfig == nil
			if f.Host == "db.example" && f.TLSConfig == nil && dsn != "postgres://u@db.example/d?sslmode=disable" {
				t.Errorf("%s: it goes to %s without TLS", dsn, f.Host)
			}
		}
		if ways != plain.allowed {
			t.Errorf("%s: without TLS %v, want %v", dsn, ways, plain.allowed)
		}
	}
	// The environment disables TLS, and the address does not.
	t.Setenv("PGSSLMODE", "disable")
	c, err := pgxpool.ParseConfig("postgres://u@db.example/d")
	if err != nil {
		t.Fatal(err)
	}
	if err := onlyTLS(c.ConnConfig, "postgres://u@db.example/d"); err == nil {
		t.Error("the address does not say that it is without TLS")
	}
}
