package http1

import "fmt"

// Request is what this client can ask: no body, no headers of the caller's.
type Request struct {
	Method string // "GET" when empty; "HEAD" has no body in its answer
	Target string // origin-form: path and query, begins with "/"
	Host   string // host, with ":port" unless it is 80
	Close  bool   // ask the server to close the connection after its answer
}

// AppendRequest appends the encoded request to dst and returns the longer
// slice. It allocates only when dst is too short. A field with a byte that
// would end its line or its word gives ErrRequest and leaves dst unchanged.
func AppendRequest(dst []byte, q Request) ([]byte, error) {
	method := q.Method
	if method == "" {
		method = "GET"
	}
	if !isToken(method) {
		return dst, fmt.Errorf("%w: method %q", ErrRequest, method)
	}
	if q.Target == "" || q.Target[0] != '/' || !isVisible(q.Target) {
		return dst, fmt.Errorf("%w: target %q", ErrRequest, q.Target)
	}
	if q.Host == "" || !isVisible(q.Host) {
		return dst, fmt.Errorf("%w: host %q", ErrRequest, q.Host)
	}
	dst = append(dst, method...)
	dst = append(dst, ' ')
	dst = append(dst, q.Target...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, q.Host...)
	dst = append(dst, "\r\nUser-Agent: weft\r\nAccept: text/html\r\n"...)
	if q.Close {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, "\r\n"...), nil
}

// isVisible reports whether s is printable ASCII without blanks.
func isVisible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

func isToken[T string | []byte](s T) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return len(s) > 0
}

// isTokenByte reports whether c is a tchar of RFC 9110 section 5.6.2.
func isTokenByte(c byte) bool {
	switch {
	case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		return true
	}
	switch c {
	case '!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~':
		return true
	}
	return false
}
