package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// output is where results go: the standard output or a file of its own.
type output struct {
	io.Writer
	file *os.File
}

// Close closes the file. The standard output stays open.
func (o *output) Close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// create opens the place for results; a file is written anew. What a scan finds is nobody else's business: mode 0600.
func (a *app) create(name string) (*output, error) {
	if name == "" {
		return &output{Writer: a.stdout}, nil
	}
	file, err := openAnew(name)
	if err != nil {
		return nil, err
	}
	return &output{file, file}, nil
}

// openAnew opens a file to be written anew, which is its owner's alone before anything is in it.
func openAnew(name string) (*os.File, error) {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = narrow(file)
	if info, serr := file.Stat(); err == nil && serr == nil && info.Mode().IsRegular() {
		err = file.Truncate(0)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// goOn opens the file of an earlier run behind its last whole line.
func goOn(name string, e *earlier) (*output, error) {
	if e.recoded {
		return nil, hinted{usage("%s: not the UTF-8 that was written: it cannot be gone on with", name), "-o another file"}
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = narrow(file)
	if err == nil {
		err = file.Truncate(e.size)
	}
	if err == nil {
		_, err = file.Seek(e.size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &output{file, file}, nil
}

// writeTo writes to a file of the caller's own (mode 0600), whole or not at all, or to the standard output.
func (a *app) writeTo(name string, write func(w io.Writer, color bool) error) error {
	if name == "" {
		return write(a.stdout, colorful(a.stdout))
	}
	var b bytes.Buffer
	if err := write(&b, false); err != nil {
		return err
	}
	file, err := openAnew(name)
	if err != nil {
		return err
	}
	_, err = file.Write(b.Bytes())
	return errors.Join(err, file.Close())
}
