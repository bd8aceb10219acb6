package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// output receives results: standard output or a file.
type output struct {
	io.Writer
	file *os.File
}

// Close closes the file. Standard output stays open.
func (o *output) Close() error {
	if o.file == nil {
		return nil
	}
	return o.file.Close()
}

// create opens the output; an existing file is replaced. Results are private: mode 0600.
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

// openAnew opens a file for new content, and restricts it to its owner before anything is written.
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

// goOn opens the file of an earlier run after its last complete line.
func goOn(name string, e *earlier) (*output, error) {
	if e.recoded {
		return nil, hinted{
			usage("%s: not the UTF-8 that was written: it cannot be gone on with", name), "-o another file",
		}
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

// writeTo writes a file of the user's own (mode 0600), completely or not at all, or to standard output.
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
