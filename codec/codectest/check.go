package codectest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/wireplane/wireplane/codec"
)

// Check decodes in and tests every property that must hold whatever the input is.
// accepted tells whether the input begins with a valid message.
func Check(c Codec, in []byte) (accepted bool, err error) {
	// The capacity equals the length: reading beyond it would panic.
	b := append(make([]byte, 0, len(in)), in...)
	n, derr := c.Decode(b)
	if !bytes.Equal(b, in) {
		return false, fmt.Errorf("%s: Decode changed its input", c.Name)
	}
	if derr != nil {
		return false, refused(c, b, n, derr)
	}
	if n < 0 || n > len(b) {
		return true, fmt.Errorf("%s: Decode took %d of %d bytes", c.Name, n, len(b))
	}
	if err := lengthAgrees(c, b, n); err != nil {
		return true, err
	}
	if size := c.Size(); c.Canonical && size != n {
		return true, fmt.Errorf("%s: Size is %d, %d bytes were decoded", c.Name, size, n)
	}
	if err := encodes(c, b[:n]); err != nil {
		return true, err
	}
	_ = c.Text()
	return true, cloned(c, b, n)
}

// answer checks the reply to an input that is not expected to be complete.
func answer(c Codec, b []byte, mustFail bool) error {
	n, err := c.Decode(b)
	if err == nil {
		if mustFail {
			return fmt.Errorf("accepted as %d bytes", n)
		}
		return nil
	}
	return refused(c, b, n, err)
}

// refused checks the form of a refusal, and that a Need is a true lower bound.
func refused(c Codec, b []byte, n int, err error) error {
	if n != 0 {
		return fmt.Errorf("%s: n is %d beside the error %w", c.Name, n, err)
	}
	var need codec.Need
	if errors.As(err, &need) {
		return honoured(c, b, int(need))
	}
	var e *codec.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: Decode failed with %T", c.Name, err)
	}
	if e.Offset < 0 || e.Offset > len(b) || e.Type == "" || e.Kind == 0 {
		return fmt.Errorf("%s: incomplete error (kind %v, offset %d, type %q) for %d bytes", c.Name, e.Kind, e.Offset, e.Type, len(b))
	}
	return nil
}

// padMax is up to how many missing bytes honoured tries out.
const padMax = 1 << 12

// honoured checks that one byte less than need is not enough, and that with need
// bytes more the decoder does not want the same again.
func honoured(c Codec, b []byte, need int) error {
	if need <= 0 {
		return fmt.Errorf("%s: Need is %d", c.Name, need)
	}
	if need > padMax {
		return nil
	}
	padded := append(append(make([]byte, 0, len(b)+need), b...), make([]byte, need)...)
	if n, err := c.Decode(padded[:len(padded)-1]); err == nil {
		return fmt.Errorf("%s: wanted %d more bytes, but took %d with one less", c.Name, need, n)
	}
	if c.Len != nil {
		n, more, err := c.Len(b)
		if err == nil && (n > 0) == (more > 0) {
			return fmt.Errorf("%s: the length function says n %d, need %d", c.Name, n, more)
		}
		if err == nil && n > 0 && n-len(b) != need {
			return fmt.Errorf("%s: Need is %d where the frame lacks %d", c.Name, need, n-len(b))
		}
	}
	return nil
}

// lengthAgrees checks the length function against an accepted message.
func lengthAgrees(c Codec, b []byte, n int) error {
	if c.Len == nil {
		return nil
	}
	got, need, err := c.Len(b)
	if got != n || need != 0 || err != nil {
		return fmt.Errorf("%s: the length function says %d, %d, %w; Decode took %d", c.Name, got, need, err, n)
	}
	return nil
}

// encodes checks that the decoded value encodes to the bytes it came from.
func encodes(c Codec, b []byte) error {
	out, err := c.Append(make([]byte, 3, 3+len(b)))
	if err != nil {
		return fmt.Errorf("%s: what was decoded does not encode: %w", c.Name, err)
	}
	if len(out)-3 != c.Size() {
		return fmt.Errorf("%s: Size is %d, %d bytes were encoded", c.Name, c.Size(), len(out)-3)
	}
	if c.Canonical && !bytes.Equal(out[3:], b) {
		return fmt.Errorf("%s: decoded %x, encodes to %x", c.Name, b, out[3:])
	}
	if c.Head == nil {
		return nil
	}
	head, tail, err := c.Head(nil)
	if err != nil {
		return fmt.Errorf("%s: AppendHead: %w", c.Name, err)
	}
	if whole := append(head, tail...); !bytes.Equal(whole, out[3:]) {
		return fmt.Errorf("%s: AppendHead gives %x, Append %x", c.Name, whole, out[3:])
	}
	return nil
}

// cloned checks that a clone survives the reuse of the input.
func cloned(c Codec, b []byte, n int) error {
	before, err := c.Append(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Name, err)
	}
	c.Clone()
	for i := range b[:n] {
		b[i] ^= 0x5a
	}
	after, err := c.Append(nil)
	if err != nil || !bytes.Equal(before, after) {
		return fmt.Errorf("%s: the clone changed with the input: %x, then %x (%w)", c.Name, before, after, err)
	}
	return nil
}
