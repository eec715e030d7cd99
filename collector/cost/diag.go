package cost

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// dump is a question to the kernel about all sockets of a kind in weft's network namespace: sock_diag(7).
type dump struct {
	name    string
	request []byte
	header  int    // bytes before the attributes of an answer
	inode   int    // where in it the inode stands, 32 bits
	memory  uint16 // the attribute with the socket's memory
	queues  []int  // which of its numbers are bytes in a queue
	port    int    // where the local port stands, big endian; 0 is nowhere
}

// dumps are the kinds of sockets that have queues. What TCP holds ready for a socket beyond its queues
// (SK_MEMINFO_FWD_ALLOC) is a promise, no memory yet. A unix socket's bytes stand in the peer's queue and are
// charged to the sender.
var dumps = []dump{
	{"tcp", inetRequest(unix.AF_INET, unix.IPPROTO_TCP), 72, 68, 7, tcpQueues, 4},
	{"tcp, IPv6", inetRequest(unix.AF_INET6, unix.IPPROTO_TCP), 72, 68, 7, tcpQueues, 4},
	{"udp", inetRequest(unix.AF_INET, unix.IPPROTO_UDP), 72, 68, 7, otherQueues, 0},
	{"udp, IPv6", inetRequest(unix.AF_INET6, unix.IPPROTO_UDP), 72, 68, 7, otherQueues, 0},
	{"unix", unixRequest(), 16, 4, 5, otherQueues, 0},
}

var (
	tcpQueues   = []int{unix.SK_MEMINFO_RMEM_ALLOC, unix.SK_MEMINFO_WMEM_QUEUED, unix.SK_MEMINFO_BACKLOG}
	otherQueues = []int{unix.SK_MEMINFO_RMEM_ALLOC, unix.SK_MEMINFO_WMEM_ALLOC, unix.SK_MEMINFO_BACKLOG}
)

const allStates = 0xffffffff

// inetRequest is a struct inet_diag_req_v2 of linux/inet_diag.h, with the extension INET_DIAG_SKMEMINFO.
func inetRequest(family, protocol byte) []byte {
	request := make([]byte, 56)
	request[0], request[1], request[2] = family, protocol, 1<<(7-1)
	binary.NativeEndian.PutUint32(request[4:], allStates)
	return request
}

// unixRequest is a struct unix_diag_req of linux/unix_diag.h, with UDIAG_SHOW_MEMINFO.
func unixRequest() []byte {
	request := make([]byte, 24)
	request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(request[4:], allStates)
	binary.NativeEndian.PutUint32(request[12:], 0x20)
	return request
}

// network is what the kernel tells of a process's sockets.
type network struct {
	queued int64           // bytes in their queues
	ports  map[uint16]bool // local ports of TCP: sockets on one port share what the kernel keeps of it
}

// ask sums over the sockets that are given by inode. The kernel tells of all sockets of the machine: 1,000 of them
// take about 1 ms.
func ask(sockets map[uint64]string) (network, error) {
	all := network{ports: map[uint16]bool{}}
	if len(sockets) == 0 {
		return all, nil
	}
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return all, fmt.Errorf("open sock_diag: %w", err)
	}
	defer conn.Close()
	var errs []error
	for _, d := range dumps {
		if err := d.sum(conn, sockets, &all); err != nil {
			errs = append(errs, fmt.Errorf("sock_diag of %s: %w", d.name, err))
		}
	}
	return all, errors.Join(errs...)
}

func (d dump) sum(conn *netlink.Conn, sockets map[uint64]string, all *network) error {
	answers, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.SOCK_DIAG_BY_FAMILY, Flags: netlink.Request | netlink.Dump},
		Data:   d.request,
	})
	if err != nil {
		return err
	}
	for _, answer := range answers {
		inode, bytes, err := d.parse(answer.Data)
		if err != nil {
			return err
		}
		if _, ours := sockets[inode]; !ours {
			continue
		}
		all.queued += bytes
		if d.port > 0 {
			all.ports[binary.BigEndian.Uint16(answer.Data[d.port:])] = true
		}
	}
	return nil
}

// parse reads one answer: a header with the inode in it, then attributes.
func (d dump) parse(answer []byte) (inode uint64, bytes int64, err error) {
	if len(answer) < d.header {
		return 0, 0, fmt.Errorf("answer of %d bytes", len(answer))
	}
	inode = uint64(binary.NativeEndian.Uint32(answer[d.inode:]))
	attributes, err := netlink.NewAttributeDecoder(answer[d.header:])
	if err != nil {
		return 0, 0, err
	}
	for attributes.Next() {
		if attributes.Type() != d.memory {
			continue
		}
		memory := attributes.Bytes()
		for _, i := range d.queues {
			if len(memory) >= 4*(i+1) {
				bytes += int64(binary.NativeEndian.Uint32(memory[4*i:]))
			}
		}
	}
	return inode, bytes, attributes.Err()
}
