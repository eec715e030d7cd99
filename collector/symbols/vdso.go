package symbols

import (
	"bytes"
	"errors"
	"fmt"
	"hash/maphash"
	"os"

	"golang.org/x/sys/unix"
)

// vdsoName is what /proc/PID/maps calls the code that the kernel maps into each process. No file is behind it.
const vdsoName = "[vdso]"

// maxVDSO bounds it: it has 2 pages on amd64, a process may call something larger so.
const maxVDSO = 64 << 10

var errVDSOSize = errors.New("not of a vDSO's size")

// vdso reads the code that the kernel mapped, an ELF image, from the memory of the process whose /proc directory
// is dir. A process may have written into its own copy, so that only equal contents are one file; a hash with
// a random seed tells, for which nobody can make two contents.
func (s *Symbolizer) vdso(dir int, m mapping) (*file, error) {
	data, err := readMemory(dir, m.start, m.end)
	if err != nil {
		return nil, fmt.Errorf("read the vDSO: %w", err)
	}
	id := fileID{inode: maphash.Bytes(s.seed, data), size: int64(len(data))}
	if f, ok := s.files[id]; ok {
		return f, nil
	}
	return s.add(id, newFile(bytes.NewReader(data), id.size, func() error { return nil }))
}

func readMemory(dir int, start, end uint64) ([]byte, error) {
	if end-start > maxVDSO {
		return nil, fmt.Errorf("%w: %d bytes", errVDSOSize, end-start)
	}
	fd, err := unix.Openat(dir, "mem", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "mem")
	data := make([]byte, end-start)
	_, err = f.ReadAt(data, int64(start))
	return data, errors.Join(err, f.Close())
}
