package collector

import (
	"testing"

	"github.com/weft-profiler/weft/bpf"
	"github.com/weft-profiler/weft/collector/recording"
)

func TestConnectionRecord(t *testing.T) {
	c := bpf.Connection{Cookie: 5, Transport: bpf.TransportTCP, Side: bpf.SideClient, Family: 2, LocalPort: 4711, RemotePort: 80}
	copy(c.LocalAddr[:], []byte{127, 0, 0, 1})
	copy(c.RemoteAddr[:], []byte{10, 1, 2, 3})
	got := connectionRecord(c)
	if got.Local != "127.0.0.1:4711" || got.Remote != "10.1.2.3:80" || got.Family != "ipv4" || got.Transport != "tcp" || got.Side != "client" {
		t.Errorf("%+v", got)
	}
	c.Family, c.LocalAddr, c.Side = 10, [16]byte{15: 1}, bpf.SideUnknown
	if got := connectionRecord(c); got.Local != "[::1]:4711" || got.Side != "" {
		t.Errorf("%+v", got)
	}
	c.Family, c.Transport = 1, bpf.TransportUnix
	if got := connectionRecord(c); got.Local != "" || got.Transport != "unix" || got.Family != "unix" {
		t.Errorf("%+v", got)
	}
}

func TestAgedSocketsAreLost(t *testing.T) {
	w := &Watch{trial: &recording.Trial{Sockets: recording.Sockets{
		Transports: map[string]recording.Transport{"tcp": {Opened: 9}, "udp": {Opened: 23}, "unix": {Opened: 1}},
		Connections: []recording.Connection{
			{Transport: "udp"}, {Transport: "udp"}, {Transport: "unix"},
		},
	}}}
	w.loseAged()
	if len(w.trial.Lost) != 1 || w.trial.Lost[0].Count != 21 {
		t.Errorf("lost %+v, want 21 udp sockets", w.trial.Lost)
	}
}

// A connection that ends between two looks is in both, and counts once, as the ended one that it is.
func TestUnionPrefersTheEnded(t *testing.T) {
	ended := []bpf.Connection{{Cookie: 1, CloseNs: 9}, {Cookie: 2, CloseNs: 9}}
	alive := []bpf.Connection{{Cookie: 2}, {Cookie: 3}}
	all := union(ended, alive, cookie)
	if len(all) != 3 || all[1].CloseNs != 9 || all[2].Cookie != 3 {
		t.Errorf("%+v", all)
	}
}
