package demo

import (
	"context"
	"crypto/sha256"
	_ "embed" // the sample
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

//go:embed sample.txt
var sample string

// Totals describe a text that was cut into tokens.
type Totals struct {
	Items int64
	Bytes int64
	Sum   [sha256.Size]byte
}

// Source is a text that many streams read at once. Close frees it.
type Source struct {
	Name string // for people
	// Totals are those of the text when it was opened.
	Totals Totals

	size  int64
	r     io.ReaderAt
	close func() error
}

// Sample returns the text that is built in.
func Sample() (*Source, error) {
	s := &Source{Name: "built-in text", size: int64(len(sample)), r: strings.NewReader(sample)}
	return s, s.count(context.Background())
}

// Open opens the file, or stdin if path is "-", and reads it once to learn its
// totals. What cannot be read at an offset is copied to a temporary file first;
// ctx ends that, too.
func Open(ctx context.Context, path string, stdin io.Reader) (*Source, error) {
	if path == "-" {
		return spool(ctx, "standard input", stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, errors.Join(err, f.Close())
	case info.IsDir():
		return nil, errors.Join(fmt.Errorf("%s is a directory; give a file", path), f.Close())
	case !info.Mode().IsRegular() || info.Size() == 0: // a pipe; or a file of /proc, whose size is not told
		s, err := spool(ctx, path, f)
		return s, errors.Join(err, f.Close())
	}
	s := &Source{Name: path, size: info.Size(), r: f, close: f.Close}
	if err := s.count(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// spool copies r to a temporary file. When ctx ends, the copy is left to itself:
// a read of a terminal cannot be called back.
func spool(ctx context.Context, name string, r io.Reader) (*Source, error) {
	f, err := os.CreateTemp("", "wireplane-demo-*")
	if err != nil {
		return nil, err
	}
	s := &Source{Name: name, r: f, close: func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }}
	copied := make(chan error, 1)
	go func() {
		n, err := io.Copy(f, r)
		s.size = n
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), s.Close())
	}
	if err == nil {
		err = s.count(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), s.Close())
	}
	return s, nil
}

// tokens returns the tokens of the whole text, from the start.
func (s *Source) tokens() *tokenizer { return newTokenizer(io.NewSectionReader(s.r, 0, s.size)) }

// count reads the text once and sets Totals.
func (s *Source) count(ctx context.Context) error {
	t, err := s.measure(ctx)
	s.Totals = t
	return err
}

// measure reads the text once.
func (s *Source) measure(ctx context.Context) (Totals, error) {
	var t Totals
	sum := sha256.New()
	for tokens := s.tokens(); ; {
		tok, err := tokens.next()
		if errors.Is(err, io.EOF) {
			sum.Sum(t.Sum[:0])
			return t, nil
		}
		if err != nil {
			return t, err
		}
		_, _ = sum.Write(tok) // never fails
		t.Items++
		t.Bytes += int64(len(tok))
		if t.Items&0xffff == 0 && ctx.Err() != nil {
			return t, context.Cause(ctx)
		}
	}
}

// Close frees the source.
func (s *Source) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}
