package http1

import (
	"errors"
	"fmt"
)

// The sentinels a caller may test for. An answer that ends too soon is
// io.ErrUnexpectedEOF; a connection that ends before its first byte is io.EOF.
var (
	// ErrMalformed: the bytes are not an HTTP/1 response.
	ErrMalformed = errors.New("malformed HTTP response")
	// ErrUnsupported: correct somewhere, but not spoken here.
	ErrUnsupported = errors.New("unsupported HTTP response")
	// ErrTooLarge: a limit of [Limits] was passed.
	ErrTooLarge = errors.New("HTTP response too large")
	// ErrRequest: the request cannot be written without changing its meaning.
	ErrRequest = errors.New("invalid HTTP request")
)

// maxQuoted bounds how many bytes of a peer's text an error repeats.
const maxQuoted = 64

// ResponseError says which rule a response broke and shows the place. It
// matches the sentinel it wraps.
type ResponseError struct {
	Rule string // one of the rule constants of this package
	Text string // what stood there, at most 64 bytes of it
	Kind error  // ErrMalformed, ErrUnsupported or ErrTooLarge
}

// The rules. Those marked "stricter" reject what net/http lets pass; the
// differential fuzz test allows exactly these.
const (
	ruleStatusLine  = "status line"             // stricter: exactly "HTTP/1.x NNN[ reason]", NNN from 100
	ruleVersion     = "protocol version"        // stricter: 1.0 and 1.1 only
	ruleSwitch      = "switching protocols"     // stricter: 101 is never asked for
	ruleFold        = "folded header line"      // stricter: RFC 9112 section 5.2 allows rejecting it
	ruleNameSpace   = "space in a header name"  // stricter: RFC 9112 section 5.1
	ruleOldChunked  = "transfer coding in 1.0"  // stricter: RFC 9112 section 6.1 calls the framing faulty
	ruleTrailerLine = "trailer line end"        // stricter: CRLF only
	ruleHeaderSize  = "header size"             // stricter: limited
	ruleBodySize    = "body size"               // stricter: limited
	ruleChunkLine   = "chunk line size"         // stricter: limited
	ruleField       = "header field"            //
	ruleLength      = "content length"          //
	ruleCoding      = "transfer coding"         //
	ruleChunkSize   = "chunk size"              //
	ruleChunkEnd    = "line end after chunk"    //
	ruleAfterEnd    = "bytes fed after the end" // the caller's mistake, not the peer's
)

func (e *ResponseError) Error() string {
	if e.Text == "" {
		return fmt.Sprintf("%v: %s", e.Kind, e.Rule)
	}
	return fmt.Sprintf("%v: %s: %q", e.Kind, e.Rule, e.Text)
}

// Unwrap returns the sentinel.
func (e *ResponseError) Unwrap() error { return e.Kind }

func broken(kind error, rule string, text []byte) error {
	return &ResponseError{Rule: rule, Text: string(text[:min(len(text), maxQuoted)]), Kind: kind}
}
