// Command goroutines makes a known number of goroutines by function, each of which does a known number of socket calls.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	writers, writes, written = 7, 11, 3 // goroutines, calls of each, bytes of a call
	readers, reads           = 16, 5    // one byte a call
	askers, asks             = 4, 3     // goroutines that begin with a function without a name, one byte a call
)

func main() {
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	in.ReadString('\n')
	if len(os.Args) > 2 {
		programs[os.Args[1]](os.Args[2])
		fmt.Println("done")
		in.ReadString('\n')
		return
	}
	var done sync.WaitGroup
	feeds := spawn(&done)
	time.Sleep(100 * time.Millisecond) // the readers block, and the runtime has to make threads
	for _, feed := range feeds {
		write(feed, 1, make([]byte, reads))
	}
	done.Wait()
	fmt.Println("done")
	in.ReadString('\n')
}

// spawn makes all goroutines, and gives the other ends of what the readers read from.
func spawn(done *sync.WaitGroup) (feeds []int) {
	done.Add(writers + readers + askers)
	for i := 0; i < writers; i++ {
		go writer(pair()[0], done)
	}
	for i := 0; i < readers; i++ {
		ends := pair()
		feeds = append(feeds, ends[1])
		go reader(ends[0], done)
	}
	for i := 0; i < askers; i++ {
		fd := pair()[0]
		go func() {
			defer done.Done()
			write(fd, asks, make([]byte, 1))
		}()
	}
	return feeds
}

func writer(fd int, done *sync.WaitGroup) {
	defer done.Done()
	write(fd, writes, make([]byte, written))
}

func reader(fd int, done *sync.WaitGroup) {
	defer done.Done()
	for i := 0; i < reads; i++ {
		if n, err := syscall.Read(fd, make([]byte, 1)); n != 1 {
			panic(err)
		}
	}
}

func write(fd, times int, piece []byte) {
	for i := 0; i < times; i++ {
		if n, err := syscall.Write(fd, piece); n != len(piece) {
			panic(err)
		}
	}
}

var programs = map[string]func(string){"exchange": exchange, "lock": lock, "replace": replace}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

// replace writes five bytes, one a call, and makes the process another program: itself, as often as is said, or none.
func replace(more string) {
	write(pair()[0], 5, make([]byte, 1))
	if n := number(more); n > 0 {
		panic(syscall.Exec("/proc/self/exe", []string{"goroutines", "replace", strconv.Itoa(n - 1)}, os.Environ()))
	}
}

// lock makes so many goroutines that keep a thread each, and write one byte.
func lock(count string) {
	var done sync.WaitGroup
	for i := number(count); i > 0; i-- {
		done.Add(1)
		go locked(&done)
	}
	done.Wait()
}

func locked(done *sync.WaitGroup) {
	runtime.LockOSThread()
	write(pair()[0], 1, make([]byte, 1))
	done.Done()
	select {}
}

// exchange writes and reads one byte as often as is said.
func exchange(times string) {
	n, ends, piece := number(times), pair(), make([]byte, 1)
	for i := 0; i < n; i++ {
		write(ends[0], 1, piece)
		if n, err := syscall.Read(ends[1], piece); n != 1 {
			panic(err)
		}
	}
}

// pair gives two ends whose calls block their threads.
func pair() [2]int {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		panic(err)
	}
	return ends
}
