package web

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
)

// maxKept bounds the files that a preview keeps, packed and in bytes: the page carries them back to the import. Some ten
// thousand targets or a hundred scans fit; whoever has more chooses the files again.
const maxKept = 1 << 20

// keptField is the field that holds it, as base64: a page's text is cleaned of control characters.
const keptField = "kept"

// preview is a file that is read for a preview, and kept as far as it fits.
type preview struct {
	io.Reader
	packed bytes.Buffer
	packer *gzip.Writer
}

func newPreview(file io.Reader) *preview {
	p := &preview{}
	p.packer = gzip.NewWriter(&p.packed)
	p.Reader = io.TeeReader(file, p)
	return p
}

// Write keeps a part of the file that was read.
func (p *preview) Write(b []byte) (int, error) {
	if p.packed.Len() <= maxKept {
		return p.packer.Write(b)
	}
	return len(b), nil
}

// kept reads what is left of the file, and returns all of it for keptField; empty is that it is too large.
func (p *preview) kept() (string, error) {
	if _, err := io.Copy(io.Discard, p.Reader); err != nil {
		return "", err
	}
	if err := p.packer.Close(); err != nil {
		return "", err
	}
	if p.packed.Len() > maxKept {
		return "", nil
	}
	return base64.URLEncoding.EncodeToString(p.packed.Bytes()), nil
}

// unkept opens a kept file. It unpacks to no more than an upload may have.
func unkept(kept io.Reader) (io.Reader, error) {
	packed, err := io.ReadAll(io.LimitReader(base64.NewDecoder(base64.URLEncoding, kept), maxKept+1))
	if err == nil && len(packed) <= maxKept {
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(packed)); err == nil {
			return http.MaxBytesReader(nil, r, maxUpload), nil
		}
	}
	return nil, problem{http.StatusUnprocessableEntity, "The file of the preview did not come back: choose it again."}
}

// keptFiles are the files of one preview, for the import that may follow. Together they have the bound of one.
type keptFiles struct {
	Files []string
	size  int
	full  bool
}

// read has a file looked at, and keeps it.
func (k *keptFiles) read(file io.Reader, look func(io.Reader) error) error {
	p := newPreview(file)
	if err := look(p); err != nil {
		return err
	}
	kept, err := p.kept()
	k.size += len(kept)
	k.full = k.full || kept == "" || k.size > base64.URLEncoding.EncodedLen(maxKept)
	if k.Files = append(k.Files, kept); k.full {
		k.Files = nil // all or none: who imports them is not to wonder which
	}
	return err
}

// looks tells whether a file is only to be looked at.
func (v *visit) looks() bool { return v.r.URL.Query().Get("look") != "" }

// file is a file of a form: a new one, or one that a preview kept.
type file struct {
	io.Reader
	name string
}

// upload opens the file of a form without keeping it in memory: parts come as they arrive. Fields before the file are
// read into the form.
func (v *visit) upload(f *form) (*file, error) {
	reader, err := v.r.MultipartReader()
	if err != nil {
		return nil, problem{http.StatusBadRequest, "Choose a file."}
	}
	got, err := nextFile(reader, f)
	if got == nil && err == nil {
		f.wrong("file", "Choose a file.")
	}
	return got, err
}

// mostFields bounds the fields before a file: a form has few.
const mostFields = 20

// nextFile is the next file of a form, or nil; the fields before it are read into the form.
func nextFile(reader *multipart.Reader, f *form) (*file, error) {
	for range mostFields {
		part, err := reader.NextPart()
		if err != nil {
			break
		}
		if part.FileName() != "" {
			return &file{part, part.FileName()}, nil
		}
		if part.FormName() == keptField {
			r, err := unkept(part)
			return &file{r, "a file of the preview"}, err
		}
		b, err := io.ReadAll(io.LimitReader(part, maxNote))
		if err != nil {
			return nil, err
		}
		f.Set(part.FormName(), string(b))
	}
	return nil, nil
}
