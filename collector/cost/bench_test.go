package cost

import (
	"fmt"
	"net"
	"os"
	"testing"
)

// What a snapshot pays for its cost by /proc, with 100 and with 1,000 sockets. it is read
// at gates, where the process stands still: in a timed trial never between the gate and done.
func BenchmarkByProc(b *testing.B) {
	for _, count := range []int{100, 1000} {
		b.Run(fmt.Sprintf("sockets=%d", count), func(b *testing.B) {
			meter, err := NewMeter()
			if err != nil {
				b.Fatal(err)
			}
			listener, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer listener.Close()
			for range count / 2 { // both ends are ours
				client, err := connect(listener.Addr().(*net.TCPAddr))
				if err != nil {
					b.Fatal(err)
				}
				defer os.NewFile(uintptr(client), "client").Close()
				server, err := listener.Accept()
				if err != nil {
					b.Fatal(err)
				}
				defer server.Close()
			}
			for b.Loop() {
				if _, err := meter.ByProc(Process{PID: os.Getpid(), Threads: 1}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
