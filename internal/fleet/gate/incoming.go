package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"ipcguard/internal/fleet/wire"
)

// groupBytes bounds the results that are decoded together, in bytes, except for the last of them: those of a job of
// sixty-four usual hosts.
const groupBytes = 2 << 20

// maxOtherField bounds every part of a body of results that is none: the number of a job, fields of later versions.
const maxOtherField = 64 << 10

// incoming is a body of results that is read as it comes: {"job":…,"results":[…]}, in this order. Only a group of its
// results is in memory at a time.
type incoming struct {
	body  *metered
	d     *json.Decoder
	count int
	done  bool // the list has ended
}

func newIncoming(body io.Reader) *incoming {
	m := &metered{r: body}
	return &incoming{body: m, d: json.NewDecoder(m)}
}

// metered is a body of which one JSON value may have a number of bytes.
type metered struct {
	r    io.Reader
	left int64
	err  error // of the reader, except io.EOF
}

var errOne = failure{http.StatusRequestEntityTooLarge, fmt.Sprintf("one result has more than %d MiB", wire.MaxResult>>20)}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	if m.left <= 0 {
		m.err = errOne
		return 0, m.err
	}
	n, err := m.r.Read(p[:min(int64(len(p)), m.left)])
	m.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		m.err = err
	}
	return n, err
}

// fault returns why the body could not be read: its JSON, unless its reader failed.
func (in *incoming) fault(err error) error {
	if err != nil && in.body.err != nil {
		return in.body.err
	}
	if err != nil {
		return errBody
	}
	return nil
}

func (in *incoming) token() (json.Token, error) {
	in.body.left = maxOtherField
	t, err := in.d.Token()
	return t, in.fault(err)
}

// more reports whether the list or the object goes on, with something of at most some bytes.
func (in *incoming) more(bytes int64) bool {
	in.body.left = bytes
	return in.d.More()
}

// begin reads up to the first result, and returns the job.
func (in *incoming) begin() (job string, err error) {
	if t, err := in.token(); err != nil || t != json.Delim('{') {
		return "", orBody(err)
	}
	for in.more(maxOtherField) {
		name, err := in.token()
		if err != nil {
			return "", err
		}
		switch {
		case name == "job" && job == "":
			t, err := in.token()
			text, ok := t.(string)
			if err != nil || !ok || text == "" {
				return "", orBody(err)
			}
			job = text
		case name == "results" && job != "":
			t, err := in.token()
			if in.done = t == nil; err != nil || !in.done && t != json.Delim('[') { // none are null
				return "", orBody(err)
			}
			return job, nil
		case name == "job" || name == "results":
			return "", errBody
		default:
			if err := in.skip(); err != nil {
				return "", err
			}
		}
	}
	in.done = true
	return job, in.fault(in.body.err)
}

// skip reads a field of a later version.
func (in *incoming) skip() error {
	in.body.left = maxOtherField
	var field json.RawMessage
	return in.fault(in.d.Decode(&field))
}

// group returns the next results, not decoded; none at the end.
func (in *incoming) group() (all []json.RawMessage, err error) {
	for size := 0; !in.done && size < groupBytes; {
		if !in.more(wire.MaxResult) {
			_, err := in.token() // the end of the list, or of the body
			in.done = true
			return all, err
		}
		if in.count++; in.count > 2*wire.MaxTargets {
			return nil, failure{http.StatusRequestEntityTooLarge, "these are more results than a job has"}
		}
		var one json.RawMessage
		if err := in.fault(in.d.Decode(&one)); err != nil {
			return nil, err
		}
		if len(one) > wire.MaxResult { // a part of it came with the one before
			return nil, errOne
		}
		all, size = append(all, one), size+len(one)
	}
	return all, nil
}

// end reads what comes after the results.
func (in *incoming) end() error {
	for in.more(maxOtherField) {
		name, err := in.token()
		if err != nil || name == "job" || name == "results" {
			return orBody(err)
		}
		if err := in.skip(); err != nil {
			return err
		}
	}
	_, err := in.token()
	return err
}

// drain reads the rest without keeping it, so that the answer arrives.
func (in *incoming) drain() error {
	_, err := io.Copy(io.Discard, in.body.r)
	return err
}

// orBody returns an error, or that of a body that is no results.
func orBody(err error) error {
	if err != nil {
		return err
	}
	return errBody
}
