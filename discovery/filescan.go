package discovery

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const tmpPrefix = ".tmp_"

// fileSeen is what was read of a file; it is read again when one differs.
type fileSeen struct {
	mod  time.Time
	size int64
	id   os.FileInfo // tells a renamed file from the one before
	i    *Instance   // nil: it is no record
}

// scan reads the directory. What has expired is removed and left out; what is not a
// record is left out, and reported once.
func (s *fileStore) scan() (map[string]Instance, error) {
	start := time.Now()
	all, err := s.scanDir()
	s.op("list", start, err)
	return all, err
}

func (s *fileStore) scanDir() (map[string]Instance, error) {
	d, err := os.Open(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Instance{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	defer d.Close() //nolint:errcheck // it is only read
	s.mu.Lock()
	old := s.files
	s.mu.Unlock()
	seen := make(map[string]fileSeen, len(old))
	all := make(map[string]Instance, len(old))
	living := 0
	for looked := 0; looked < sweepFactor*s.c.MaxFiles; {
		names, err := d.Readdirnames(1024)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
		looked += len(names)
		for _, name := range names {
			path := filepath.Join(s.dir, name)
			st, err := os.Lstat(path)
			if err != nil || !st.Mode().IsRegular() {
				continue // it went away, or is none of ours
			}
			if s.expired(st.ModTime()) {
				_ = os.Remove(path) // what a dead writer left behind as well
				continue
			}
			if living++; living > s.c.MaxFiles || strings.HasPrefix(name, tmpPrefix) {
				continue
			}
			f, ok := old[name]
			if !ok || f.size != st.Size() || !f.mod.Equal(st.ModTime()) || !os.SameFile(f.id, st) {
				if f, ok = s.look(name, path, st); !ok {
					continue
				}
			}
			seen[name] = f
			if f.i != nil {
				all[Key(f.i)] = *f.i
			}
		}
	}
	s.mu.Lock()
	s.files = seen
	s.mu.Unlock()
	if living > s.c.MaxFiles {
		return nil, fmt.Errorf("discovery: %s holds more than %d files", s.dir, s.c.MaxFiles)
	}
	return all, nil
}

// sweepFactor is how many times MaxFiles a scan looks at, in search of what has expired.
const sweepFactor = 10

// look reads a file that is new or has changed; it reports false if it is gone.
func (s *fileStore) look(name, path string, st os.FileInfo) (fileSeen, bool) {
	f := fileSeen{mod: st.ModTime(), size: st.Size(), id: st}
	key, err := fileKey(name)
	var value []byte
	if err == nil {
		value, err = readBounded(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return f, false
	}
	var i Instance
	if err == nil {
		i, err = ParseRecord(key, value)
	}
	if err == nil {
		f.i = &i
		return f, true
	}
	s.mu.Lock()
	s.stat.BadRecords++
	level := slog.LevelWarn
	if s.stat.BadRecords > maxWarned {
		level = slog.LevelDebug
	}
	s.mu.Unlock()
	if report := s.c.Observer.BadRecord; report != nil {
		report(name, err)
	}
	s.c.Logger.Log(s.ctx, level, "discovery: file skipped", "file", name, "err", err)
	return f, true
}

// maxWarned is how many skipped files are warned of; what follows is for debugging, and
// for Stat.
const maxWarned = 32

// readBounded reads at most one byte more than a record may have, of a file that is one:
// a pipe would be waited for.
func readBounded(path string) ([]byte, error) {
	st, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("discovery: %s is no regular file", path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may have become a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	return io.ReadAll(io.LimitReader(f, MaxRecord+1))
}

const upperHex = "0123456789ABCDEF"

// fileName returns the file of a key: below the bucket, each byte that is not an ASCII
// letter or digit percent-encoded.
func fileName(key string) string {
	var b strings.Builder
	for _, c := range []byte(strings.TrimPrefix(key, Prefix)) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		}
	}
	return b.String()
}

// fileKey is the inverse of fileName, and refuses names that it does not write.
func fileKey(name string) (string, error) {
	var b strings.Builder
	b.WriteString(Prefix)
	for n := 0; n < len(name); n++ {
		c := name[n]
		if c == '%' && n+2 < len(name) {
			hi, lo := strings.IndexByte(upperHex, name[n+1]), strings.IndexByte(upperHex, name[n+2])
			if hi < 0 || lo < 0 {
				break
			}
			c, n = byte(hi<<4|lo), n+2
		}
		b.WriteByte(c)
	}
	if key := b.String(); fileName(key) == name {
		return key, nil
	}
	return "", fmt.Errorf("discovery: file %.200q is not the name of a key", name)
}
