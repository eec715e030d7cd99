package http1

import "bytes"

// head is what a client has to know of a status line and header: the status,
// how the body ends, and whether the connection lives on.
type head struct {
	status int
	minor  int // 0 or 1, of HTTP/1.x

	length       int64 // Content-Length in bytes, if hasLength
	lengthDigits int
	hasLength    bool
	codings      int // Transfer-Encoding fields seen
	chunked      bool
	untilClose   bool

	saysClose, saysKeepAlive bool
}

func (h *head) closes() bool {
	return h.saysClose || h.untilClose || (h.minor == 0 && !h.saysKeepAlive)
}

// parseStatus reads "HTTP/1.1 200 OK"; the reason may be missing.
func (h *head) parseStatus(line []byte) error {
	const prefix = "HTTP/1.1 "
	if len(line) < len(prefix)+3 || string(line[:5]) != "HTTP/" || line[6] != '.' || line[8] != ' ' {
		return broken(ErrMalformed, ruleStatusLine, line)
	}
	major, minor, code, rest := line[5], line[7], line[9:12], line[12:]
	if !isDigit(major) || !isDigit(minor) || (len(rest) > 0 && rest[0] != ' ') {
		return broken(ErrMalformed, ruleStatusLine, line)
	}
	if major != '1' || minor > '1' {
		return broken(ErrUnsupported, ruleVersion, line)
	}
	status := 0
	for _, c := range code {
		if !isDigit(c) {
			return broken(ErrMalformed, ruleStatusLine, line)
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 {
		return broken(ErrMalformed, ruleStatusLine, line)
	}
	h.status, h.minor = status, int(minor-'0')
	return nil
}

// parseField reads one "Name: value" line and keeps what matters to framing.
func (h *head) parseField(line []byte) error {
	name, value, err := splitField(line)
	if err != nil {
		return err
	}
	switch {
	case isName(name, "content-length"):
		return h.addLength(value)
	case isName(name, "transfer-encoding"):
		h.codings++
		h.chunked = h.codings == 1 && isName(value, "chunked")
	case isName(name, "connection"):
		for option := range bytes.SplitSeq(value, []byte(",")) {
			option = bytes.Trim(option, " \t")
			h.saysClose = h.saysClose || isName(option, "close")
			h.saysKeepAlive = h.saysKeepAlive || isName(option, "keep-alive")
		}
	}
	return nil
}

func splitField(line []byte) (name, value []byte, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return nil, nil, broken(ErrUnsupported, ruleFold, line)
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return nil, nil, broken(ErrMalformed, ruleField, line)
	}
	if bytes.IndexByte(name, ' ') >= 0 {
		return nil, nil, broken(ErrMalformed, ruleNameSpace, line)
	}
	if !isToken(name) {
		return nil, nil, broken(ErrMalformed, ruleField, line)
	}
	for _, c := range value {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return nil, nil, broken(ErrMalformed, ruleField, line)
		}
	}
	return name, bytes.Trim(value, " \t"), nil
}

// addLength reads a Content-Length. A repeated one must be the same, digit
// for digit: two that differ are how responses are smuggled.
func (h *head) addLength(value []byte) error {
	var n int64
	for _, c := range value {
		digit := int64(c - '0')
		if !isDigit(c) || n > (1<<63-1-digit)/10 {
			return broken(ErrMalformed, ruleLength, value)
		}
		n = n*10 + digit
	}
	if len(value) == 0 || (h.hasLength && (n != h.length || len(value) != h.lengthDigits)) {
		return broken(ErrMalformed, ruleLength, value)
	}
	h.length, h.lengthDigits, h.hasLength = n, len(value), true
	return nil
}

// check looks at the header as a whole, at its end.
func (h *head) check() error {
	switch {
	case h.codings > 0 && h.minor == 0:
		return broken(ErrMalformed, ruleOldChunked, nil)
	case h.codings > 0 && !h.chunked:
		return broken(ErrUnsupported, ruleCoding, nil)
	case h.status == 101:
		return broken(ErrUnsupported, ruleSwitch, nil)
	}
	return nil
}

// isName compares in ASCII without regard to case; lower is in lower case.
func isName(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
