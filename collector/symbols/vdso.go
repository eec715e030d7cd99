package symbols

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// vdsoName is what /proc/PID/maps calls the code that the kernel maps into each process. No file is behind it.
const vdsoName = "[vdso]"

// maxVDSO bounds it; it has 2 pages on amd64.
const maxVDSO = 64 << 10

var (
	errVDSOSize  = errors.New("not of a vDSO's size")
	errOtherVDSO = errors.New("another vDSO than weft's, of a program of 32 bits")
)

// vdso is the file behind a vDSO. The kernel has one for all programs of 64 bits, so weft's own is read, once: to
// read a hostile process's memory may take for ever (userfaultfd).
func (s *Symbolizer) vdso(m mapping) (*file, error) {
	if s.ownVDSO == nil {
		data, err := readVDSO()
		if err != nil {
			return nil, fmt.Errorf("read the vDSO: %w", err)
		}
		s.ownVDSO = newFile(bytes.NewReader(data), int64(len(data)), func() error { return nil })
		s.ownVDSO.path = vdsoName
	}
	if m.end-m.start != uint64(s.ownVDSO.size) || m.start < 1<<32 {
		return nil, errOtherVDSO
	}
	return s.ownVDSO, nil
}

// readVDSO reads weft's own. It is an ELF image.
func readVDSO() ([]byte, error) {
	m, err := ownVDSOMapping()
	if err != nil {
		return nil, err
	}
	if m.end-m.start > maxVDSO {
		return nil, fmt.Errorf("%w: %d bytes", errVDSOSize, m.end-m.start)
	}
	f, err := os.Open("/proc/self/mem")
	if err != nil {
		return nil, err
	}
	data := make([]byte, m.end-m.start)
	_, err = f.ReadAt(data, int64(m.start))
	return data, errors.Join(err, f.Close())
}

func ownVDSOMapping() (mapping, error) {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return mapping{}, err
	}
	mappings, err := parseMappings(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return mapping{}, err
	}
	for _, m := range mappings {
		if m.path == vdsoName && m.inode == 0 {
			return m, nil
		}
	}
	return mapping{}, os.ErrNotExist
}
