package cost

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What this process opens is what is counted, however its descriptors come to it.
func TestReadFiles(t *testing.T) {
	self := "/proc/" + strconv.Itoa(os.Getpid())
	before, err := readFiles(self)
	if err != nil {
		t.Fatal(err)
	}
	must := func(fd int, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	for range 5 {
		must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)) // not connected: no table of the network has it
	}
	tcp6 := must(unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0))
	must(unix.Dup(tcp6))
	must(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
	var pair [2]int
	if pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); err != nil {
		t.Fatal(err)
	}
	must(pair[0], nil)
	must(pair[1], nil)
	poll := must(unix.EpollCreate1(0))
	for _, fd := range []int{tcp6, pair[0], pair[1]} {
		if err := unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Fd: int32(fd)}); err != nil {
			t.Fatal(err)
		}
	}
	after, err := readFiles(self)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for _, p := range after.protocols() {
		counts[p.name] += p.count
	}
	for _, p := range before.protocols() {
		counts[p.name] -= p.count
	}
	unixes := counts["UNIX"] + counts["UNIX-STREAM"] // one name before Linux 5.15
	if counts["TCP"] != 5 || counts["TCPv6"] != 1 || counts["UDP"] != 1 || unixes != 2 {
		t.Errorf("%v", counts)
	}
	if polls := after.polls - before.polls; polls != 3 {
		t.Errorf("%d epoll items, want 3", polls)
	}
}

func TestFilesOfWhatIsGone(t *testing.T) {
	if _, err := readFiles("/proc/0"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// A descriptor that is closed, or that is another file by the time that it is asked, is no socket, and takes nothing
// from what is known by another descriptor.
func TestSocketsThatGo(t *testing.T) {
	process := tree(t, map[string]string{"fd/socket:[24]": "a file in place of the socket"})
	for fd, target := range map[string]string{"3": "socket:[23]", "4": "socket:[24]", "5": "socket:[25]"} {
		if err := os.Symlink(target, filepath.Join(process, "fd", fd)); err != nil {
			t.Fatal(err)
		}
	}
	all := files{sockets: map[uint64]string{25: "TCP"}}
	for _, fd := range []string{"3", "4"} {
		if err := all.add(process, fd); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("descriptor %s: %v", fd, err)
		}
	}
	if err := all.add(process, "5"); err != nil {
		t.Error(err)
	}
	if len(all.sockets) != 1 || all.sockets[25] != "TCP" {
		t.Errorf("%v", all.sockets)
	}
}

func TestSocketInode(t *testing.T) {
	for target, want := range map[string]uint64{
		"socket:[23]": 23, "socket:[x]": 0, "socket:[]": 0, "pipe:[23]": 0, "/tmp/socket:[23]": 0, "": 0,
	} {
		if got, ok := socketInode(target); got != want || ok != (want > 0) {
			t.Errorf("%q: %d, %v", target, got, ok)
		}
	}
}

// Bytes that wait in a unix socket and in a UDP socket are found by its owner's inode.
func TestAskOfOtherSockets(t *testing.T) {
	const bytes = 10_000
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if _, err := unix.Write(pair[0], make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(udp)
	if err := unix.Bind(udp, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	address, err := unix.Getsockname(udp)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Sendto(udp, make([]byte, bytes), 0, address); err != nil {
		t.Fatal(err)
	}
	all, err := readFiles("/proc/" + strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"UNIX", "UDP"} {
		ours := map[uint64]string{}
		for inode, protocol := range all.sockets {
			if protocol == name || protocol == name+"-STREAM" {
				ours[inode] = protocol
			}
		}
		got, err := ask("/proc", ours)
		if name == "UNIX" && errors.Is(err, unix.ENOENT) {
			t.Log("unix_diag is a module here that can't be loaded:", err)
			continue
		}
		if err != nil || got.queued < bytes || got.queued > 10*bytes || len(got.ports) != 0 {
			t.Errorf("%s: %+v, %v, want %d bytes or more", name, got, err, bytes)
		}
	}
}

// Where sock_diag is not there, /proc/net has the port and the payload.
func TestSumTable(t *testing.T) {
	const line = "   0: 0100007F:%s 0100007F:1F90 01 00000005:00000012 00:00000000 00000000     0        0 %s 1 0\n"
	proc := tree(t, map[string]string{"net/tcp": "  sl  local_address rem_address   st\n" +
		strings.NewReplacer("%s 0100", "C350 0100", "0 %s", "0 23").Replace(line) +
		strings.NewReplacer("%s 0100", "C351 0100", "0 %s", "0 24").Replace(line)})
	all := network{ports: map[uint16]bool{}}
	if err := dumps[0].sumTable(proc, map[uint64]string{23: "TCP"}, &all); err != nil {
		t.Fatal(err)
	}
	if all.queued != 0x17 || !all.payload || len(all.ports) != 1 || !all.ports[0xC350] {
		t.Errorf("%+v", all)
	}
}

// answer is one of sock_diag about a TCP socket.
func answer(inode uint32, memory ...uint32) []byte {
	d := dumps[0]
	text := make([]byte, d.header)
	binary.NativeEndian.PutUint32(text[d.inode:], inode)
	text = binary.NativeEndian.AppendUint16(text, uint16(4+4*len(memory)))
	text = binary.NativeEndian.AppendUint16(text, d.memory)
	for _, n := range memory {
		text = binary.NativeEndian.AppendUint32(text, n)
	}
	return text
}

func TestParse(t *testing.T) {
	inode, bytes, err := dumps[0].parse(answer(23, 1000, 1<<20, 5, 1<<20, 4096, 200, 7, 30, 9))
	if inode != 23 || bytes != 1230 || err != nil {
		t.Errorf("inode %d, %d bytes, %v: want received, queued and backlog", inode, bytes, err)
	}
	if _, bytes, err := dumps[0].parse(answer(23, 1000)); bytes != 1000 || err != nil {
		t.Errorf("of a short attribute: %d bytes, %v", bytes, err)
	}
	if _, _, err := dumps[0].parse(make([]byte, 71)); err == nil {
		t.Error("a short answer: no error")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(answer(23, 1000, 1<<20, 5, 1<<20, 4096, 200, 7, 30, 9))
	f.Add(make([]byte, 71))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, d := range dumps {
			if _, bytes, _ := d.parse(text); bytes < 0 {
				t.Errorf("%d bytes", bytes)
			}
		}
	})
}
