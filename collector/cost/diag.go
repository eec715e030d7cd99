package cost

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// dump is a question to the kernel about all sockets of a kind in weft's network namespace: sock_diag(7).
type dump struct {
	names   []string // of the protocols whose sockets it tells of
	request []byte
	header  int                                    // bytes before the attributes of an answer
	inode   int                                    // where in it the inode stands, 32 bits
	port    int                                    // where the local port stands, big endian; 0 is nowhere
	memory  uint16                                 // the attribute with the socket's memory
	queues  []int                                  // which of its numbers are bytes in a queue
	table   func(procfs.FS) (procfs.NetTCP, error) // the same in /proc/net, less well; nil where there is none
}

// dumps are the kinds of sockets that have queues.
var dumps = []dump{
	inetDump("TCP", unix.AF_INET, unix.IPPROTO_TCP, tcpTable),
	inetDump("TCPv6", unix.AF_INET6, unix.IPPROTO_TCP, tcp6Table),
	inetDump("UDP", unix.AF_INET, unix.IPPROTO_UDP, udpTable(procfs.FS.NetUDP)),
	inetDump("UDPv6", unix.AF_INET6, unix.IPPROTO_UDP, udpTable(procfs.FS.NetUDP6)),
	unixDump(),
}

// withInode are the states in which a socket belongs to a file: all but TCP_TIME_WAIT, of which a busy machine has
// tens of thousands, and TCP_SYN_RECV and TCP_NEW_SYN_RECV.
const withInode = ^uint32(1<<unix.BPF_TCP_TIME_WAIT | 1<<unix.BPF_TCP_SYN_RECV | 1<<unix.BPF_TCP_NEW_SYN_RECV)

// inetDump sends a struct inet_diag_req_v2 of linux/inet_diag.h, with the extension INET_DIAG_SKMEMINFO. What TCP
// holds ready for a socket beyond its queues (SK_MEMINFO_FWD_ALLOC) is a promise, no memory yet.
func inetDump(name string, family, protocol byte, table func(procfs.FS) (procfs.NetTCP, error)) dump {
	const skMemInfo = 7 // INET_DIAG_SKMEMINFO
	d := dump{
		names: []string{name}, request: make([]byte, 56), header: 72, inode: 68,
		memory: skMemInfo, queues: otherQueues, table: table,
	}
	d.request[0], d.request[1], d.request[2] = family, protocol, 1<<(skMemInfo-1)
	binary.NativeEndian.PutUint32(d.request[4:], withInode)
	if protocol == unix.IPPROTO_TCP {
		d.port, d.queues = 4, tcpQueues
	}
	return d
}

// unixDump sends a struct unix_diag_req of linux/unix_diag.h. A unix socket's bytes stand in the peer's queue and
// are charged to the sender.
func unixDump() dump {
	const showMemInfo, memInfo = 0x20, 5 // UDIAG_SHOW_MEMINFO, UNIX_DIAG_MEMINFO
	d := dump{
		names: []string{"UNIX", "UNIX-STREAM"}, request: make([]byte, 24), header: 16, inode: 4,
		memory: memInfo, queues: otherQueues,
	}
	d.request[0] = unix.AF_UNIX
	binary.NativeEndian.PutUint32(d.request[4:], withInode)
	binary.NativeEndian.PutUint32(d.request[12:], showMemInfo)
	return d
}

var (
	tcpQueues   = []int{unix.SK_MEMINFO_RMEM_ALLOC, unix.SK_MEMINFO_WMEM_QUEUED, unix.SK_MEMINFO_BACKLOG}
	otherQueues = []int{unix.SK_MEMINFO_RMEM_ALLOC, unix.SK_MEMINFO_WMEM_ALLOC, unix.SK_MEMINFO_BACKLOG}
)

//lint:ignore SA1019 the advice is to use netlink: these are for where that is refused
var tcpTable, tcp6Table = procfs.FS.NetTCP, procfs.FS.NetTCP6

// udpTable gives the table of UDP the type of that of TCP: they have the same columns.
func udpTable(table func(procfs.FS) (procfs.NetUDP, error)) func(procfs.FS) (procfs.NetTCP, error) {
	return func(fs procfs.FS) (procfs.NetTCP, error) {
		lines, err := table(fs)
		return procfs.NetTCP(lines), err
	}
}

// network is what the kernel tells of a process's sockets.
type network struct {
	queued  int64           // bytes in their queues
	payload bool            // the overhead of packets is not in all of queued
	ports   map[uint16]bool // local ports of TCP: sockets on one port share what the kernel keeps of it
}

// ask sums over the sockets that are given by inode, in weft's network namespace. The kernel tells of all sockets
// of the machine: 1,000 of them take about 1 ms.
func ask(proc string, sockets map[uint64]string) (network, error) {
	all := network{ports: map[uint16]bool{}}
	if len(sockets) == 0 {
		return all, nil
	}
	conn, err := netlink.Dial(unix.NETLINK_SOCK_DIAG, nil)
	if err != nil {
		return all, fmt.Errorf("open sock_diag: %w", err)
	}
	defer conn.Close()
	have := map[string]bool{}
	for _, protocol := range sockets {
		have[protocol] = true
	}
	var errs []error
	for _, d := range dumps {
		if !slices.ContainsFunc(d.names, func(name string) bool { return have[name] }) {
			continue
		}
		err := d.sum(conn, sockets, &all)
		// Where it is a module, and can't be loaded: what /proc has of the sockets is better than nothing.
		if errors.Is(err, unix.ENOENT) && d.table != nil {
			err = d.sumTable(proc, sockets, &all)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sock_diag of %s: %w", d.names[0], err))
		}
	}
	return all, errors.Join(errs...)
}

// sumTable reads /proc/net/tcp or its like, whose queues are payload only.
func (d dump) sumTable(proc string, sockets map[uint64]string, all *network) error {
	fs, err := procfs.NewFS(proc)
	if err != nil {
		return err
	}
	lines, err := d.table(fs)
	if err != nil {
		return err
	}
	all.payload = true
	for _, line := range lines {
		if _, ours := sockets[line.Inode]; !ours {
			continue
		}
		all.queued += int64(line.TxQueue + line.RxQueue)
		if d.port > 0 {
			all.ports[uint16(line.LocalPort)] = true
		}
	}
	return nil
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
