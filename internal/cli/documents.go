package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"ipcguard/internal/model"
)

// readDocuments reads documents of one schema: a single one, an array, or one a line.
func readDocuments[T any](name, schema string, of func(*T) string) ([]*T, error) {
	file, err := openRegular(name, model.MaxEvidence)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var out []*T
	err = model.ReadDocuments(file, model.KeptResults(), func(b []byte) error {
		x := new(T)
		err := json.Unmarshal(b, x) // on an error it still sets what it can, such as the schema
		if of(x) != schema {
			return fmt.Errorf("this is %s", model.KindOf(b))
		}
		if err != nil {
			return err
		}
		out = append(out, x)
		return nil
	})
	switch {
	case err != nil:
		return nil, usage("%s: want %s in json or jsonl: %w", name, schema, err)
	case len(out) == 0:
		return nil, usage("%s: there is nothing in it: want %s in json or jsonl", name, schema)
	}
	return out, nil
}

// readScans reads scans from a json or jsonl file.
func readScans(name string) ([]*model.Scan, error) {
	return readDocuments(name, model.SchemaScan, func(s *model.Scan) string { return s.Schema })
}

// openRegular opens a regular file of at most that many bytes. A pipe or a device may never end.
func openRegular(name string, most int64) (*os.File, error) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, usage("%s: not a regular file", name)
	case st.Size() > most:
		return nil, usage("%s: more than %d KiB, which is more than such a file has", name, most>>10)
	}
	return os.Open(name)
}

// readBounded reads a text that a user provides.
func readBounded(name string, most int64) ([]byte, error) {
	file, err := openRegular(name, most)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(model.UTF8(io.LimitReader(file, most)))
}
