package workload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// ErrScheme is an origin's URL that is not plain http. The models compared
// share a client without TLS, so that none of them pays for it.
var ErrScheme = errors.New("only http:// is supported")

// CheckURL parses the URL of an origin: http, a host, a port if not 80, and
// nothing else.
func CheckURL(text string) (*url.URL, error) {
	if !strings.Contains(text, "://") {
		return nil, fmt.Errorf("origin URL %q: %w: give %s", cut(text), ErrScheme, withScheme(text))
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("origin URL: %w", err)
	}
	if u.Scheme != "http" {
		return nil, fmt.Errorf("origin URL %q: %w: give http://HOST:PORT", cut(text), ErrScheme)
	}
	if u.Hostname() == "" {
		return nil, fmt.Errorf("origin URL %q: no host: give http://HOST:PORT", cut(text))
	}
	if (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("origin URL %q: more than a host and a port: give http://HOST:PORT", cut(text))
	}
	if _, err := portOf(u); err != nil {
		return nil, fmt.Errorf("origin URL %q: %w", cut(text), err)
	}
	return u, nil
}

// withScheme is what somebody meant who left http:// out, if that can be.
func withScheme(text string) string {
	if _, err := CheckURL("http://" + text); err != nil {
		return "http://HOST:PORT"
	}
	return "http://" + cut(text)
}

func portOf(u *url.URL) (uint16, error) {
	if u.Port() == "" {
		return 80, nil
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	if err != nil || port == 0 {
		return 0, fmt.Errorf("port %q: want 1 to 65535", u.Port())
	}
	return uint16(port), nil
}

// resolve finds the one address that all connections of a trial go to. It
// runs in set-up: resolving is not what is compared, and in some models it
// would start threads.
func resolve(ctx context.Context, u *url.URL) (netip.AddrPort, error) {
	port, err := portOf(u)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), port), nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("resolve origin: %w", err)
	}
	addr := found[0]
	for _, a := range found {
		if a.Unmap().Is4() {
			addr = a
			break
		}
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}
