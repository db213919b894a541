package demo

import (
	"bufio"
	"errors"
	"io"
	"unicode/utf8"
)

// maxTokenBytes is the longest token; a language model's are about this long.
const maxTokenBytes = 16

// tokenizer cuts bytes into tokens of 1 to 16 bytes: a word with the space in
// front of it, a run of punctuation likewise, or a run of white space. Longer
// words are cut, between runes if the text is UTF-8. The tokens joined are the
// input, and depend on nothing but the input.
type tokenizer struct{ r *bufio.Reader }

// tokenizerBuffer is the memory of one tokenizer in bytes.
const tokenizerBuffer = 4 << 10

func newTokenizer(r io.Reader) *tokenizer {
	return &tokenizer{r: bufio.NewReaderSize(r, tokenizerBuffer)}
}

// next returns the next token, borrowed until the following call. It returns
// io.EOF after the last one.
func (t *tokenizer) next() ([]byte, error) {
	b, err := t.r.Peek(maxTokenBytes)
	if len(b) == 0 {
		return nil, err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	tok := b[:tokenLen(b)]
	_, err = t.r.Discard(len(tok)) // the bytes stay where they are until the next Peek
	return tok, err
}

type charClass uint8

const (
	wordChar charClass = iota
	spaceChar
	otherChar
)

func classOf(c byte) charClass {
	switch {
	case c == ' ' || c == '\n' || c == '\t' || c == '\r':
		return spaceChar
	case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c == '_', c >= utf8.RuneSelf:
		return wordChar
	}
	return otherChar
}

// tokenLen returns the length of the token at the start of b, which holds at
// least one byte and at most a whole token.
func tokenLen(b []byte) int {
	n := 1
	class := classOf(b[0])
	if b[0] == ' ' && len(b) > 1 && classOf(b[1]) != spaceChar {
		n, class = 2, classOf(b[1])
	}
	for n < len(b) && classOf(b[n]) == class {
		n++
	}
	if n < maxTokenBytes {
		return n
	}
	return runeBoundary(b[:n])
}

// runeBoundary returns the length of b without the rune that its end cuts, or
// len(b) if it cuts none.
func runeBoundary(b []byte) int {
	for back := 1; back < utf8.UTFMax && back < len(b); back++ {
		i := len(b) - back
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if !utf8.FullRune(b[i:]) {
			return i
		}
		break
	}
	return len(b)
}
