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
