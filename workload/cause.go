package workload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
)

// The causes by which failed requests are counted.
const (
	CauseRefused = "refused"       // nobody listens at the address
	CauseReset   = "reset"         // the connection ended before the answer began, or was reset
	CauseTimeout = "timeout"       // the request took longer than it may
	CauseStatus  = "status"        // an answer, but not 200
	CauseCut     = "cut body"      // the answer ended before its end
	CauseContent = "wrong content" // not the price page that was asked for
	CauseOther   = "other"
)

// causes is every cause, in the order in which reports list them.
var causes = [...]string{
	CauseRefused, CauseReset, CauseTimeout, CauseStatus, CauseCut, CauseContent, CauseOther,
}

// Causes lists every cause that [Cause] can return.
func Causes() []string { return slices.Clone(causes[:]) }

func isCause(s string) bool { return slices.Contains(causes[:], s) }

// ErrContent is in the chain of every error about what a page says.
var ErrContent = errors.New("wrong content")

// StatusError is an answer other than 200.
type StatusError struct{ Status int }

func (e *StatusError) Error() string { return fmt.Sprintf("status %d", e.Status) }

// Cause names what made a request fail, the same for a blocking socket, for
// netpoll and for net/http. (One differs: a header cut within a line is
// CauseOther with net/http, which takes it for a malformed one.)
func Cause(err error) string {
	var status *StatusError
	switch {
	case errors.As(err, &status):
		return CauseStatus
	case errors.Is(err, ErrContent):
		return CauseContent
	case isTimeout(err):
		return CauseTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return CauseRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return CauseReset
	case errors.Is(err, io.ErrUnexpectedEOF):
		return CauseCut
	case errors.Is(err, io.EOF), isServerClosedIdle(err):
		return CauseReset
	}
	return CauseOther
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		(errors.As(err, &timeout) && timeout.Timeout())
}

// isServerClosedIdle recognizes net/http's error for a connection that ended
// between two requests: it has a text and no exported value.
func isServerClosedIdle(err error) bool {
	return err != nil && strings.HasSuffix(err.Error(), "http: server closed idle connection")
}
