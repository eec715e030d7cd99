package http1

import "bytes"

// maxSizeDigits is what a 64-bit chunk size can have.
const maxSizeDigits = 16

// chunkBegins reads the line before a chunk: its size in hexadecimal, and
// extensions, which mean nothing here but are counted so that a peer cannot
// send nothing else.
func (r *Response) chunkBegins(line []byte) error {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(text, '\r') >= 0 {
		return broken(ErrMalformed, ruleChunkSize, line)
	}
	digits, _, _ := bytes.Cut(bytes.TrimRight(text, " \t"), []byte(";"))
	size, ok := parseHex(digits)
	if !ok {
		return broken(ErrMalformed, ruleChunkSize, line)
	}
	if r.extensions += len(text) - len(digits); r.extensions > maxExtensions {
		return broken(ErrTooLarge, ruleChunkLine, nil)
	}
	if size == 0 {
		r.spent, r.state = 0, inTrailer
		return nil
	}
	if size > uint64(r.limits.Body-len(r.body)) {
		return broken(ErrTooLarge, ruleBodySize, nil)
	}
	r.left, r.state = int(size), inChunk
	return nil
}

// trailerLine reads a field after the last chunk. Trailers are checked for
// form and dropped; none of them may change the framing.
func (r *Response) trailerLine(line []byte) error {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok {
		return broken(ErrMalformed, ruleTrailerLine, line)
	}
	if len(text) == 0 {
		r.state = complete
		return nil
	}
	_, _, err := splitField(text)
	return err
}

func parseHex(digits []byte) (n uint64, ok bool) {
	if len(digits) == 0 || len(digits) > maxSizeDigits {
		return 0, false
	}
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		n = n<<4 | uint64(c)
	}
	return n, true
}
