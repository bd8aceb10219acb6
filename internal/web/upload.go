package web

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
)

// maxKept bounds the files that a preview keeps, compressed, in bytes: the page sends them back for the import. About
// ten thousand targets or a hundred scans fit; with more, the files must be selected again.
const maxKept = 1 << 20

// keptField is the form field with them, as base64: control characters are removed from a page's text.
const keptField = "kept"

// preview is a file that is read for a preview, and kept if it fits.
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

// Write keeps a part of the file.
func (p *preview) Write(b []byte) (int, error) {
	if p.packed.Len() <= maxKept {
		return p.packer.Write(b)
	}
	return len(b), nil
}

// kept reads the rest of the file, and returns all of it for keptField; empty if it is too large.
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

// unkept opens a kept file. It expands to at most the size of an upload.
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

// keptFiles are the files of one preview, for a following import. Together they have the bound of one.
type keptFiles struct {
	Files []string
	size  int
	full  bool
}

// read previews a file, and keeps it.
func (k *keptFiles) read(file io.Reader, look func(io.Reader) error) error {
	p := newPreview(file)
	if err := look(p); err != nil {
		return err
	}
	kept, err := p.kept()
	k.size += len(kept)
	k.full = k.full || kept == "" || k.size > base64.URLEncoding.EncodedLen(maxKept)
	if k.Files = append(k.Files, kept); k.full {
		k.Files = nil // all or none: nobody should have to wonder which
	}
	return err
}

// looks reports whether a file is only previewed.
func (v *visit) looks() bool { return v.r.URL.Query().Get("look") != "" }

// file is a file of a form: a new one, or one that a preview kept.
type file struct {
	io.Reader
	name string
}

// upload opens the file of a form without holding it in memory: parts are read as they arrive. Fields before the file
// are added to the form.
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

// nextFile returns the next file of a form, or nil; the fields before it are added to the form.
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
