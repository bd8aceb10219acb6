package cli

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// maxServiceLog bounds the log of a service, and its predecessor, in bytes: some hundred thousand lines.
const maxServiceLog = 16 << 20

// serviceLog is the log of a service, which has no terminal. A full log is renamed to NAME.old.
type serviceLog struct {
	lock sync.Mutex
	path string
	most int64
	file *os.File
	size int64
}

func openServiceLog(path string) (*serviceLog, error) {
	l := &serviceLog{path: path, most: maxServiceLog}
	return l, l.open()
}

func (l *serviceLog) open() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write implements io.Writer.
func (l *serviceLog) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.file == nil {
		return 0, fs.ErrClosed
	}
	if l.size > 0 && l.size+int64(len(p)) > l.most {
		if err := l.turn(); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *serviceLog) turn() error {
	err := l.file.Close()
	l.file = nil
	if err == nil {
		err = os.Rename(l.path, l.path+".old")
	}
	if err != nil {
		return err
	}
	return l.open()
}

// Close closes the file.
func (l *serviceLog) Close() error {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
