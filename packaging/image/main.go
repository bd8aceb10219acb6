// Command image creates a container image of ipcguard without a daemon: image VERSION OUT.tar ARCH=PROGRAM...
//
//	OUT.tar     an OCI image layout with one image for each architecture: podman, skopeo and Docker from 25 on load it
//	/ipcguard   the program, which is static: nothing else of a system is there
//	/etc/ssl/certs/ca-certificates.crt   the roots of Mozilla's programme, for webhooks and sign-in providers
//	/etc/passwd                          the account 65532, which the program runs as
//	/var/lib/ipcguard-serve              state of the fleet's server, a volume
//
// The same programs give the same bytes: every file has the time of SOURCE_DATE_EPOCH, in seconds since 1970.
package main

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	account = 65532 // the usual account without rights in images without a system
	state   = "/var/lib/ipcguard-serve"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, epoch string) error {
	if len(args) < 3 {
		return fmt.Errorf("use: image VERSION OUT.tar ARCH=PROGRAM...")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH is %q, want seconds since 1970", epoch)
	}
	made := time.Unix(seconds, 0).UTC()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range args[2:] {
		arch, path, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not ARCH=PROGRAM", arg)
		}
		image, err := build(args[0], arch, path, made)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{
			Platform:    &v1.Platform{OS: "linux", Architecture: arch},
			Annotations: map[string]string{"org.opencontainers.image.ref.name": args[0]},
		}})
	}
	return save(index, args[0], args[1], made)
}

// build creates the image of one architecture: one layer and how to start the program.
func build(version, arch, path string, made time.Time) (v1.Image, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files, err := tree(program, made)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(files)), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: made}, CreatedBy: "ipcguard's packaging/image",
	}}); err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: made}
	config.Config = v1.Config{
		Entrypoint:   []string{"/ipcguard"},
		Cmd:          []string{"--help"},
		User:         fmt.Sprintf("%d:%[1]d", account),
		WorkingDir:   "/",
		Env:          []string{"PATH=/", "HOME=" + state},
		Volumes:      map[string]struct{}{state: {}},
		ExposedPorts: map[string]struct{}{"8443/tcp": {}, "8444/tcp": {}},
		StopSignal:   "SIGINT", // running scans are finished or given back
		Labels: map[string]string{
			"org.opencontainers.image.title":    "ipcguard",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return mutate.ConfigFile(image, config)
}

// tree returns the image's file system as a tar archive.
func tree(program []byte, made time.Time) ([]byte, error) {
	var roots bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint != nil {
			continue // a root that is trusted for some certificates only, which a file cannot express
		}
		if err := pem.Encode(&roots, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(name string, mode int64, owner int, content []byte) error {
		h := &tar.Header{
			Name:     name,
			Mode:     mode,
			Uid:      owner,
			Gid:      owner,
			ModTime:  made,
			Size:     int64(len(content)),
			Typeflag: tar.TypeReg,
		}
		if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	user := fmt.Sprintf("ipcguard:x:%d:%[1]d:ipcguard:%s:/sbin/nologin\n", account, state)
	for _, f := range []struct {
		name    string
		mode    int64
		owner   int
		content []byte
	}{
		{"ipcguard", 0o755, 0, program},
		{"etc/", 0o755, 0, nil},
		{"etc/passwd", 0o644, 0, []byte(user)},
		{"etc/group", 0o644, 0, fmt.Appendf(nil, "ipcguard:x:%d:\n", account)},
		{"etc/ssl/", 0o755, 0, nil},
		{"etc/ssl/certs/", 0o755, 0, nil},
		{"etc/ssl/certs/ca-certificates.crt", 0o644, 0, roots.Bytes()},
		{"tmp/", 0o1777, 0, nil},
		{"var/", 0o755, 0, nil},
		{"var/lib/", 0o755, 0, nil},
		{strings.TrimPrefix(state, "/") + "/", 0o700, account, nil},
	} {
		if err := put(f.name, f.mode, f.owner, f.content); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

// save writes an index as an image layout in one tar file.
func save(index v1.ImageIndex, version, path string, made time.Time) error {
	dir, err := os.MkdirTemp("", "ipcguard-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at, err := layout.Write(dir, empty.Index)
	if err != nil {
		return err
	}
	name := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": version})
	if err := at.AppendIndex(index, name); err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	w := tar.NewWriter(out)
	err = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		h := &tar.Header{
			Name:     filepath.ToSlash(inside),
			Mode:     0o644,
			Size:     int64(len(b)),
			ModTime:  made,
			Typeflag: tar.TypeReg,
		}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Close()
}
