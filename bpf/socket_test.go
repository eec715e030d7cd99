package bpf

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// playAnswer listens on network!address args[0], says where, accepts args[1] connections, reads a question from
// args[2] of them, and answers when told.
func playAnswer(s stage, args []string) error {
	connections, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	asking, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", args[0])
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(listener.Addr().String()); err != nil {
		return err
	}
	var accepted []net.Conn
	for range connections {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		accepted = append(accepted, c)
	}
	for _, c := range accepted[:asking] {
		if _, err := io.ReadFull(c, make([]byte, len("question"))); err != nil {
			return err
		}
	}
	if err := s.pause("asked"); err != nil {
		return err
	}
	for _, c := range accepted[:asking] {
		if _, err := io.WriteString(c, "answer"); err != nil {
			return err
		}
	}
	return s.end(nil)
}

// On the server's side a reply is awaited from the first byte received to the first byte sent.
func TestServerOwesReplies(t *testing.T) {
	const connections, asking = 23, 7
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			w := watch(t, Options{}, "answer", address, fmt.Sprint(connections), fmt.Sprint(asking))
			w.Say("go")
			w.Decode(&address)
			for i := range connections {
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if i < asking {
					io.WriteString(c, "question")
				}
			}
			w.Expect("asked")
			w.gaugeReaches(GaugeAwaiting, asking)
			w.Say("answer")
			w.Decode(new(any))
			w.gaugeReaches(GaugeAwaiting, 0)
			if gauge := w.gauge(GaugeAwaiting); gauge.Peak != asking || gauge.Rises != asking {
				t.Errorf("gauge %+v, want %d", gauge, asking)
			}
			served := 0
			for _, c := range w.connections() {
				if c.Side == SideServer && c.Replies == 1 {
					served++
				}
			}
			if served != asking {
				t.Errorf("%d connections answered on the server's side, want %d", served, asking)
			}
			w.noLoss()
		})
	}
}

// playResend sends to a socket of its own that drops what arrives, until the kernel has sent it again three
// times; then it takes the drop away. The truth is TCP's own count.
func playResend(s stage, _ []string) error {
	if err := s.pause("ready"); err != nil {
		return err
	}
	from, to, err := inetPair(unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	if err != nil {
		return err
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0}}
	program := &unix.SockFprog{Len: uint16(len(drop)), Filter: &drop[0]}
	if err := unix.SetsockoptSockFprog(to, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program); err != nil {
		return err
	}
	if _, err := unix.Write(from, make([]byte, 23)); err != nil {
		return err
	}
	for {
		info, err := unix.GetsockoptTCPInfo(from, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return err
		}
		if info.Total_retrans >= 3 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := unix.SetsockoptInt(to, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		return err
	}
	if n, err := unix.Read(to, make([]byte, 64)); err != nil || n != 23 {
		return fmt.Errorf("read %d, %w", n, err)
	}
	info, err := unix.GetsockoptTCPInfo(from, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return err
	}
	return s.end(info.Total_retrans)
}

// A segment is sent again by a timer, in the context of whatever thread is interrupted. A kernel that is a sandbox's
// guest leaves programs out, and counts no miss, while a thread of the sandbox's own is the current one
// (docs/accuracy.md): there one of three runs has to agree, and none may count more than TCP.
func TestRetransmitsAreTCPsOwnCount(t *testing.T) {
	for range 3 {
		w := watch(t, Options{}, "resend")
		w.Say("go")
		var retransmits uint64
		w.Decode(&retransmits)
		sum := uint64(0)
		for _, c := range w.connections() {
			sum += c.Retransmits
		}
		totals := w.totals(TransportTCP)
		if totals.Retransmits != sum || sum > retransmits {
			t.Fatalf("%d in all, %d by connection, TCP has %d", totals.Retransmits, sum, retransmits)
		}
		w.noLoss()
		if sum == retransmits {
			return
		}
		t.Logf("%d of TCP's %d were seen: the others ran in a context that the kernel shows to no program", sum, retransmits)
	}
	t.Error("no run saw all segments that were sent again")
}

// playSockets sends 23 bytes on each of args[0] UDP sockets, which stay open.
func playSockets(s stage, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := s.pause("ready"); err != nil {
		return err
	}
	for range n {
		from, _, err := inetPair(unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		if err != nil {
			return err
		}
		if _, err := unix.Write(from, make([]byte, 23)); err != nil {
			return err
		}
	}
	return s.end(nil)
}

// UDP sockets beyond the table make room for each other: those that are listed and those that aged out are all.
func TestAgedSocketsAndTheListedAreAll(t *testing.T) {
	const sockets, room = 997, 64
	w := watch(t, Options{Datagrams: room}, "sockets", fmt.Sprint(sockets))
	w.Say("go")
	w.Decode(new(any))
	totals, listed := w.totals(TransportUDP), len(w.connections())
	if totals.Opened != sockets || listed > room || listed == 0 || totals.Sent.Bytes != sockets*23 {
		t.Errorf("%d listed, totals %+v; want %d opened, at most %d listed", listed, totals, sockets, room)
	}
	w.noLoss()
}
