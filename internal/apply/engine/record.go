package engine

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ipcguard/internal/apply"
	"ipcguard/internal/apply/private"
)

// Record says who changed what on which host, when, by which plan and with what proof.
type Record struct {
	Schema   string         `json:"schema"`
	ID       string         `json:"id"`
	Action   string         `json:"action"` // applied, confirmed, rolled-back
	Phase    Phase          `json:"phase"`
	Time     time.Time      `json:"time"`
	Who      string         `json:"who"`
	Host     apply.Host     `json:"host"`
	Target   string         `json:"target"`
	PlanHash string         `json:"plan_hash"`
	Why      string         `json:"why,omitempty"`
	Changes  []RecordChange `json:"changes"`
	Proof    string         `json:"proof,omitempty"` // SHA-256 of the newest proof
	Passed   bool           `json:"proof_passed"`
	Steps    string         `json:"steps"`            // SHA-256 of the journal's steps so far
	Alerts   []string       `json:"alerts,omitempty"` // detections that these changes trigger
}

// RecordChange is one place before and after.
type RecordChange struct {
	Where string `json:"where"`
	From  string `json:"from"`
	To    string `json:"to"`
	Diff  string `json:"diff,omitempty"` // of a file
}

// SignedRecord is a record as stored: the signature covers the bytes of Record.
type SignedRecord struct {
	Record    json.RawMessage `json:"record"`
	PublicKey string          `json:"public_key"` // base64 of the 32 bytes of ed25519
	Signature string          `json:"signature"`  // base64
}

const schemaRecord = "ipcguard.record/1"

// record creates, signs and stores a change record, and reports it to the system's log if there is one.
func (e *Engine) record(j *Journal, action string, phase Phase) error {
	r := Record{
		Schema: schemaRecord, ID: j.ID, Action: action, Phase: phase, Time: e.now().Wall, Who: e.Who, Host: j.Host,
		Target: j.Target, PlanHash: j.PlanHash, Why: j.Why(), Alerts: Alerts(j.Writes),
	}
	for _, w := range j.Writes {
		from, to := w.Before, w.After
		if action == "rolled-back" {
			from, to = to, from
		}
		c := RecordChange{Where: w.Place.String(), From: from.String(), To: to.String()}
		if w.Place.Kind == apply.File {
			c.Diff = apply.Diff(w.Place, from, to)
		}
		r.Changes = append(r.Changes, c)
	}
	if proofs := j.files("proof"); len(proofs) > 0 {
		b, err := private.Read(proofs[len(proofs)-1], maxJournalFile)
		if err != nil {
			return fmt.Errorf("apply: record: %w", err)
		}
		var p struct {
			Passed bool `json:"passed"`
		}
		if err := json.Unmarshal(b, &p); err != nil {
			return fmt.Errorf("apply: record: %w", err)
		}
		r.Proof, r.Passed = digest(b), p.Passed
	}
	b, err := private.Read(filepath.Join(j.Dir, stepsFile), maxJournalFile)
	if err != nil {
		return fmt.Errorf("apply: record: %w", err)
	}
	r.Steps = digest(b)
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	key, err := e.key()
	if err != nil {
		return err
	}
	signed, err := json.Marshal(SignedRecord{
		text, base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey)),
		base64.StdEncoding.EncodeToString(ed25519.Sign(key, text)),
	})
	if err != nil {
		return err
	}
	if err := e.keep(j, "record", signed, action == "rolled-back"); err != nil {
		return err
	}
	if err := report(r); err != nil { // the record exists; a log that is full or stopped is reported and stops nothing
		e.log("note: the system's log does not have it: %v", err)
	}
	return nil
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// ReadRecord checks a stored record's signature, and returns the record with the public key that signed it.
func ReadRecord(b []byte) (*Record, string, error) {
	var s SignedRecord
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, "", fmt.Errorf("apply: record: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(s.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, "", errors.New("apply: record: no public key")
	}
	signature, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil || !ed25519.Verify(key, s.Record, signature) {
		return nil, "", errors.New("apply: record: the signature does not fit: it was changed")
	}
	var r Record
	if err := json.Unmarshal(s.Record, &r); err != nil {
		return nil, "", fmt.Errorf("apply: record: %w", err)
	}
	return &r, s.PublicKey, nil
}

// Records reads an apply's records, oldest first, and checks that they were signed with this state directory's key.
func (e *Engine) Records(j *Journal) ([]*Record, error) {
	if !j.Sealed {
		return nil, nil // without a seal nothing proves that the files next to its steps belong to it
	}
	key, err := e.key()
	if err != nil {
		return nil, err
	}
	own := base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	var out []*Record
	for _, name := range j.files("record") {
		b, err := private.Read(name, maxJournalFile)
		if err != nil {
			return nil, fmt.Errorf("apply: record: %w", err)
		}
		r, signer, err := ReadRecord(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if signer != own {
			return nil, fmt.Errorf("%s: signed with another key", name)
		}
		out = append(out, r)
	}
	return out, nil
}

const keyFile = "key"

// maxKey is far more than a PEM key needs.
const maxKey = 64 << 10

// key returns the state directory's key: it signs records, and the seal's key is derived from it.
func (e *Engine) key() (ed25519.PrivateKey, error) {
	path := filepath.Join(e.State, keyFile)
	b, err := private.Read(path, maxKey)
	if err == nil {
		err = private.Secret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	if block, _ := pem.Decode(b); block != nil {
		if parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := parsed.(ed25519.PrivateKey); ok {
				return key, nil
			}
		}
	}
	return nil, e.keyless("it is damaged")
}

// keyless returns the error that nothing in the state directory can be trusted because its key was lost or replaced.
func (e *Engine) keyless(why string) error {
	return fmt.Errorf("apply: key: %w", &private.Error{
		Path: filepath.Join(e.State, keyFile),
		Why:  why + ", and without it nothing in the state directory can be believed",
		Mend: private.Moved(e.State),
	})
}

// makeKey creates the key on first use. If there is a ledger, there was a key, and a new one could not authenticate it.
func (e *Engine) makeKey() (ed25519.PrivateKey, error) {
	if _, err := os.Lstat(filepath.Join(e.State, ledgerFile)); err == nil {
		return nil, e.keyless("it is missing")
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	b, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
	if err := private.Replace(filepath.Join(e.State, keyFile), text, func() { e.fault("key:made") }); err != nil {
		return nil, fmt.Errorf("apply: key: %w", err)
	}
	return key, nil
}

// Alerts returns the stock detections that watch the places of these writes, so that their readers know that ipcguard
// made them.
func Alerts(writes []apply.Write) []string {
	var share, pipes bool
	for _, w := range writes {
		if w.Place.Kind != apply.RegistryValue {
			continue
		}
		switch strings.ToLower(w.Place.Name) {
		case "autoshareserver", "autosharewks":
			share = true
		case "nullsessionpipes":
			pipes = true
		}
	}
	var out []string
	if share {
		out = append(out,
			`Sigma's stock rule registry_set_disable_administrative_share alerts on AutoShareServer and AutoShareWks: tell whoever watches that this change is yours`)
	}
	if pipes {
		out = append(out,
			`Elastic's stock rule "NullSessionPipe Registry Modification" (ddab1f5f) alerts on NullSessionPipes: tell whoever watches that this change is yours`)
	}
	return out
}
